//! [`Darkroom`]: the pictures as they come in from the cameras, and where they go.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use pipeline_report::evaluation::{Insights, PhotoRow, PhotoSheet};
use pipeline_stage::{Context, Event, Failure, lanes, words};
use pipeline_table::ImageRow;

use crate::answers::Said;
use crate::pictures::camera::{Camera, Prints, Taken};
use crate::pictures::queue::Wanted;
use crate::pictures::thumbnails::{Room, Thumbnail};

/// Photos that may wait before each camera, and behind it.
const WAITING: usize = 2;

/// Pictures of the photos that are shown by themselves, and thumbnails for the lists of photos and insights.
pub(super) struct Darkroom<'a> {
    said: &'a Said,
    photos: &'a mut [PhotoRow],
    /// Ids that the insights name.
    named: HashSet<String>,
    insights: Option<&'a mut Insights>,
    /// Those that have room, by ids.
    thumbnails: Vec<(String, Thumbnail)>,
    room: Room,
    prints: HashMap<String, Prints>,
    asked: u64,
    gone: u64,
    /// Why the first photo that is gone cannot be had.
    why: Option<String>,
}

impl<'a> Darkroom<'a> {
    pub(super) fn new(
        said: &'a Said,
        photos: &'a mut [PhotoRow],
        insights: Option<&'a mut Insights>,
        room: Room,
    ) -> Self {
        let named = insights.as_deref().map(Insights::shown).unwrap_or_default();
        let named = named.into_iter().map(str::to_owned).collect();
        let (thumbnails, prints) = (Vec::new(), HashMap::new());
        Darkroom { said, photos, named, insights, thumbnails, room, prints, asked: 0, gone: 0, why: None }
    }

    /// Reads the photos of the queue, until there is no more room.
    pub(super) fn fill(
        &mut self,
        cameras: Vec<Camera>,
        queue: Vec<Wanted>,
        rows: &HashMap<String, ImageRow>,
        cx: &Context<'_>,
    ) -> Result<(), Failure> {
        let total = queue.len() as u64;
        let progress = cx.progress("photos for the report", Some(total), "photos");
        // What is read in vain is no more than what waits. It is not looked at: what the darkroom holds must not depend on it.
        let is_full = AtomicBool::new(false);
        let is_wanted = |wanted: &Wanted| wanted.is_needed || !is_full.load(Ordering::Relaxed);
        let items = queue.into_iter().filter(is_wanted).map(Ok);
        let work = |camera: &mut Camera, wanted: Wanted| {
            let row = rows.get(&wanted.id);
            camera.take(wanted, row)
        };
        let mut done = 0;
        lanes::in_order(cameras, WAITING, items, work, |taken| {
            self.add(taken);
            is_full.store(self.room.is_full(), Ordering::Relaxed);
            done += 1;
            Ok(progress.add(1)?)
        })?;
        Ok(progress.add(total - done)?)
    }

    fn add(&mut self, taken: Taken) {
        let Taken { wanted, prints } = taken;
        if self.room.is_full() && !wanted.is_needed {
            return;
        }
        self.asked += 1;
        match prints {
            Ok(mut prints) => {
                let thumbnail = std::mem::take(&mut prints.thumbnail);
                let is_listed = self.said.ids.binary_search(&wanted.id).is_ok();
                let copies = usize::from(is_listed) + usize::from(self.named.contains(&wanted.id));
                if copies > 0 && self.room.takes(thumbnail.bytes().map(|bytes| copies * bytes)) {
                    self.thumbnails.push((wanted.id.clone(), thumbnail));
                }
                if wanted.is_needed {
                    self.prints.insert(wanted.id, prints);
                }
            }
            Err(why) => {
                self.gone += 1;
                self.why.get_or_insert(why);
            }
        }
    }

    /// Gives the lists their thumbnails, and the photos on `sheets` and their neighbours their pictures. Each is moved to the last place that shows it; only
    /// the few photos on two sheets are copied.
    pub(super) fn hand_out(mut self, sheets: &mut [PhotoSheet]) {
        self.hand_out_thumbnails();
        let mut shown: Vec<_> =
            sheets.iter_mut().flat_map(|sheet| &mut sheet.rows).flat_map(|(_, row)| row).collect();
        let (mut on_sheets, mut as_neighbours) = (HashMap::new(), HashMap::new());
        for shown in &shown {
            *on_sheets.entry(shown.photo).or_insert(0) += 1;
            for neighbour in &shown.neighbours {
                *as_neighbours.entry(neighbour.id.clone()).or_insert(0) += 1;
            }
        }
        for shown in &mut shown {
            let prints = self.prints.get_mut(&self.said.ids[shown.photo]);
            let seen =
                prints.and_then(|prints| last_or_copy(&mut prints.seen, on_sheets.get_mut(&shown.photo)));
            (shown.picture, shown.heat) = seen.map(|[picture, heat]| (picture, heat)).unzip();
            for neighbour in &mut shown.neighbours {
                let prints = self.prints.get_mut(&neighbour.id);
                let left = as_neighbours.get_mut(&neighbour.id);
                neighbour.picture = prints.and_then(|prints| last_or_copy(&mut prints.small, left));
            }
        }
    }

    fn hand_out_thumbnails(&mut self) {
        let size = self.room.size();
        for (id, mut thumbnail) in std::mem::take(&mut self.thumbnails) {
            let jpeg = std::mem::take(&mut thumbnail.0[size]);
            if let Some(insights) = self.insights.as_deref_mut().filter(|_| self.named.contains(&id)) {
                insights.thumbnails.insert(id.clone(), jpeg.clone());
            }
            if let Ok(place) = self.said.ids.binary_search(&id) {
                self.photos[place].thumbnail = Some(jpeg);
            }
        }
    }

    pub(super) fn warn(&self, cx: &Context<'_>) {
        if let Some(why) = &self.why {
            let [gone, asked] = [self.gone, self.asked].map(words::count);
            let warning = format!("{gone} of {asked} photos cannot be shown in the report; the first: {why}");
            cx.report.emit(Event::Warning(warning));
        }
    }
}

/// A copy of the picture, or, in the last of the places that are `left`, the picture itself.
fn last_or_copy<T: Clone>(picture: &mut Option<T>, left: Option<&mut usize>) -> Option<T> {
    let left = left?;
    *left -= 1;
    if *left == 0 { picture.take() } else { picture.clone() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pipeline_photo::RgbImage;
    use pipeline_report::evaluation::Outlier;
    use pipeline_table::Mode;

    use super::*;

    fn taken(id: &str, is_needed: bool, jpeg_bytes: Option<usize>) -> Taken {
        let thumbnail = |bytes| Thumbnail([2 * bytes, bytes, bytes].map(|bytes| vec![0; bytes]));
        let print =
            |bytes| Prints { seen: None, small: Some(RgbImage::new(3, 2)), thumbnail: thumbnail(bytes) };
        let wanted = Wanted { id: id.to_owned(), heat_of: None, is_needed };
        Taken { wanted, prints: jpeg_bytes.map(print).ok_or_else(|| format!("photo `{id}` is gone")) }
    }

    #[test]
    fn thumbnails_have_room_in_order_and_one_in_two_lists_takes_it_twice() {
        let ids = ["a", "b", "c", "d"].map(str::to_owned);
        let said = Said {
            model: "head".to_owned(),
            mode: Mode::Plain,
            ids: Arc::new(ids.to_vec()),
            labels: Arc::new(vec![None; 4]),
            probs: vec![1.0; 4],
            losses: vec![0.0; 4],
            classes: 1,
        };
        let row = |id: &String| PhotoRow {
            id: id.clone(),
            label: None,
            predicted: 0,
            confidence: 1.0,
            loss: None,
            thumbnail: None,
        };
        let mut photos: Vec<PhotoRow> = ids.iter().map(row).collect();
        let outlier = |id: &str| Outlier {
            id: id.to_owned(),
            split: String::new(),
            label: String::new(),
            similarity: 0.0,
        };
        let outliers = vec![outlier("b"), outlier("train/x")];
        let mut insights = Insights { outliers, ..Insights::default() };
        let mut darkroom = Darkroom::new(&said, &mut photos, Some(&mut insights), Room::new(100));
        // 30 + 2 * 20 + 25 = 95 of 100; a neighbour is in no list. After the first without room there is none. In the best size
        // they would take twice as much.
        for (id, is_needed, bytes) in [
            ("a", true, Some(30)),
            ("train/n", true, Some(1000)),
            ("b", false, Some(20)),
            ("train/x", false, Some(25)),
            ("c", false, Some(6)),
            ("d", false, Some(1)),
            ("train/m", true, Some(1)),
            ("train/o", false, None),
            ("train/p", true, None),
        ] {
            darkroom.add(taken(id, is_needed, bytes));
        }
        assert_eq!(
            ["a", "b", "train/n", "train/m"].map(|id| darkroom.prints.contains_key(id)),
            [true, false, true, true]
        );
        // Those that were only wanted for a thumbnail are not counted after that, for how many are read depends on chance.
        assert_eq!(
            (darkroom.asked, darkroom.gone, darkroom.why.as_deref()),
            (7, 1, Some("photo `train/p` is gone"))
        );
        darkroom.hand_out(&mut []);
        let sizes: Vec<_> = photos.iter().map(|photo| photo.thumbnail.as_ref().map(Vec::len)).collect();
        assert_eq!(sizes, [Some(30), Some(20), None, None]);
        let named: Vec<_> = insights.thumbnails.iter().map(|(id, jpeg)| (id.as_str(), jpeg.len())).collect();
        assert_eq!(named, [("b", 20), ("train/x", 25)]);
    }

    #[test]
    fn a_picture_is_copied_to_all_places_but_the_last_to_which_it_moves() {
        let (mut picture, mut left) = (Some(7), 2);
        assert_eq!((last_or_copy(&mut picture, Some(&mut left)), picture), (Some(7), Some(7)));
        assert_eq!((last_or_copy(&mut picture, Some(&mut left)), picture), (Some(7), None));
        assert_eq!(last_or_copy(&mut None::<u32>, Some(&mut 1)), None, "a photo that is gone");
    }
}
