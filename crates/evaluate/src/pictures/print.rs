//! [`sheet`] and [`views`]: what is shown, as PNG files.

use pipeline_photo::RgbImage;
use pipeline_report::evaluation::{PhotoRow, PhotoSheet, SheetPhoto, ViewSheet};
use pipeline_report::name::shortened;
use pipeline_report::{Row, Section, Sheet, Tile};

/// Letters of a class name in a caption, of which two and the name of a file fit below a picture.
const NAME_LETTERS: usize = 16;

/// Photos side by side, as many as the lesson shows of a kind.
const PHOTOS_IN_A_ROW: usize = 4;

/// Views side by side.
const VIEWS_IN_A_ROW: usize = 5;

/// A sheet; below each row of pictures the same with their heat. A photo without a picture is a grey square of `side`
/// pixels.
pub(super) fn sheet(shown: &PhotoSheet, photos: &[PhotoRow], classes: &[String], side: u32) -> Sheet {
    let of_row = |(heading, row): &(Option<String>, Vec<SheetPhoto>)| {
        let tile = |shown: &SheetPhoto| Tile {
            picture: shown.picture.clone().unwrap_or_else(|| placeholder(side)),
            caption: caption(&photos[shown.photo], classes, shown.picture.is_some()),
        };
        let heat = |shown: &SheetPhoto| Tile {
            picture: shown.heat.clone().unwrap_or_else(|| placeholder(side)),
            caption: String::new(),
        };
        let mut rows = vec![];
        for few in row.chunks(PHOTOS_IN_A_ROW) {
            rows.push(Row { heading: None, tiles: few.iter().map(tile).collect() });
            rows.push(Row { heading: None, tiles: few.iter().map(heat).collect() });
        }
        Section { title: heading.clone().unwrap_or_default(), note: None, rows }
    };
    let heat = "Below each photo, what speaks for the answer (Grad-CAM), the brighter the more; plain grey where nothing does.";
    let note = if shown.rows.is_empty() { shown.note.clone() } else { format!("{} {heat}", shown.note) };
    Sheet { title: shown.title.clone(), note: Some(note), sections: shown.rows.iter().map(of_row).collect() }
}

/// The views of a photo with their votes.
pub(super) fn views(shown: &ViewSheet, photos: &[PhotoRow], classes: &[String], side: u32) -> Sheet {
    let photo = &photos[shown.photo];
    let class = &classes[photo.predicted as usize];
    let tile = |(name, picture, vote): &(String, Option<RgbImage>, f32)| Tile {
        picture: picture.clone().unwrap_or_else(|| placeholder(side)),
        caption: format!("{} {vote:.3} ({name})", shortened(class, NAME_LETTERS)),
    };
    let rows = shown.views.chunks(VIEWS_IN_A_ROW);
    let rows = rows.map(|row| Row { heading: None, tiles: row.iter().map(tile).collect() });
    Sheet {
        title: "Views of one photo".to_owned(),
        note: Some(format!(
            "The plain view and the views that are averaged with it, each with the probability that it gives {class}."
        )),
        sections: vec![Section { title: caption(photo, classes, true), note: None, rows: rows.collect() }],
    }
}

/// `dogs 0.982, labelled cats (cat.1.jpg)`
fn caption(photo: &PhotoRow, classes: &[String], has_picture: bool) -> String {
    let name = |class: u32| shortened(&classes[class as usize], NAME_LETTERS);
    let mut caption = format!("{} {:.3}", name(photo.predicted), photo.confidence);
    if let Some(label) = photo.label.filter(|label| *label != photo.predicted) {
        caption += &format!(", labelled {}", name(label));
    }
    if !has_picture {
        caption += ", no picture";
    }
    let file = photo.id.rsplit('/').next().unwrap_or_default();
    format!("{caption} ({file})")
}

fn placeholder(side: u32) -> RgbImage {
    RgbImage::from_pixel(side, side, image::Rgb([218, 220, 223]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caption_has_the_answer_the_label_where_it_is_another_and_the_file() {
        let classes = ["cats".to_owned(), "a class with a name of a hundred letters".to_owned()];
        let photo = |label| PhotoRow {
            id: "valid/cats/a.jpg".to_owned(),
            label,
            predicted: 1,
            confidence: 0.98249,
            loss: None,
            thumbnail: None,
        };
        let long = "a class …letters";
        for (label, has_picture, expected) in [
            (Some(1), true, format!("{long} 0.982 (a.jpg)")),
            (None, true, format!("{long} 0.982 (a.jpg)")),
            (Some(0), true, format!("{long} 0.982, labelled cats (a.jpg)")),
            (Some(0), false, format!("{long} 0.982, labelled cats, no picture (a.jpg)")),
        ] {
            assert_eq!(caption(&photo(label), &classes, has_picture), expected);
        }
    }
}
