//! Pictures inside a terminal: a PNG as the escape sequence that kitty, iTerm2 or a sixel terminal draws.
//!
//! | protocol | what is sent | described in |
//! |---|---|---|
//! | kitty | the PNG in base64, in pieces | sw.kovidgoyal.net/kitty/graphics-protocol |
//! | iTerm2 | the PNG in base64 | iterm2.com/documentation-images.html |
//! | sixel | pixels in up to 256 colours, six rows at a time | vt100.net/docs/vt3xx-gp/chapter14.html |
//!
//! A picture that is wider than the terminal is drawn as wide as that; none is enlarged.

use std::fmt::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use image::imageops::{self, FilterType};
use image::{ImageFormat, ImageReader, ImageResult, Rgba, RgbaImage};

/// How a terminal takes pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// kitty's, also of Ghostty.
    Kitty,
    /// iTerm2's, also of WezTerm and mintty.
    Iterm,
    /// DEC's, of foot, mlterm, Contour, and xterm as a VT340.
    Sixel,
}

/// Room for a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// Columns of the terminal.
    pub(crate) columns: u32,
    /// Pixels across.
    pub(crate) width: u32,
}

impl Protocol {
    /// That of the terminal which these variables of the environment tell of, where it is known to have one.
    pub(crate) fn of_terminal(variable: impl Fn(&str) -> Option<String>) -> Option<Protocol> {
        let value = |name: &str| variable(name).unwrap_or_default();
        let term = value("TERM");
        // They keep what the terminal around them has set, and pass no pictures on.
        if !value("TMUX").is_empty() || term.starts_with("screen") || term.starts_with("tmux") {
            return None;
        }
        match value("TERM_PROGRAM").as_str() {
            "ghostty" => return Some(Protocol::Kitty),
            "iTerm.app" | "WezTerm" | "mintty" => return Some(Protocol::Iterm),
            _ => {}
        }
        let is_term = |names: &[&str]| names.iter().any(|name| term.contains(name));
        match () {
            () if !value("KITTY_WINDOW_ID").is_empty() || is_term(&["kitty", "ghostty"]) => {
                Some(Protocol::Kitty)
            }
            () if value("LC_TERMINAL") == "iTerm2" => Some(Protocol::Iterm),
            () if is_term(&["sixel", "foot", "mlterm", "contour", "vt340"]) => Some(Protocol::Sixel),
            () => None,
        }
    }
}

/// The bytes that draw `png`, without a line's end.
///
/// # Errors
/// When it is no PNG, or a damaged one.
pub(crate) fn draw(protocol: Protocol, png: &[u8], room: Room) -> ImageResult<String> {
    let (width, _) =
        ImageReader::with_format(std::io::Cursor::new(png), ImageFormat::Png).into_dimensions()?;
    let columns = (width > room.width).then_some(room.columns);
    Ok(match protocol {
        Protocol::Kitty => kitty(png, columns),
        Protocol::Iterm => iterm(png, columns),
        Protocol::Sixel => {
            let picture = image::load_from_memory_with_format(png, ImageFormat::Png)?.into_rgba8();
            sixel(&narrowed(picture, room.width.max(1)))
        }
    })
}

/// Bytes of base64 in a piece: what the protocol allows.
const PIECE: usize = 4096;

/// `a=T`: transmit and show; `f=100`: a PNG; `q=2`: no answer, which would be taken for typing; `m`: whether more follows.
fn kitty(png: &[u8], columns: Option<u32>) -> String {
    let data = BASE64_STANDARD.encode(png);
    let size = columns.map_or(String::new(), |columns| format!(",c={columns}"));
    let last = data.len().div_ceil(PIECE).saturating_sub(1);
    let mut out = String::new();
    for number in 0..=last {
        let piece = &data[number * PIECE..data.len().min((number + 1) * PIECE)];
        let first = if number == 0 { format!("a=T,f=100,q=2{size},") } else { String::new() };
        out.push_str(&format!("\u{1b}_G{first}m={};{piece}\u{1b}\\", u8::from(number < last)));
    }
    out
}

fn iterm(png: &[u8], columns: Option<u32>) -> String {
    let width = columns.map_or("auto".to_owned(), |columns| columns.to_string());
    let (size, data) = (png.len(), BASE64_STANDARD.encode(png));
    format!("\u{1b}]1337;File=inline=1;size={size};width={width};preserveAspectRatio=1:{data}\u{7}")
}

/// The picture, at most `width` pixels wide.
fn narrowed(picture: RgbaImage, width: u32) -> RgbaImage {
    if picture.width() <= width {
        return picture;
    }
    let height = (u64::from(picture.height()) * u64::from(width) / u64::from(picture.width())).max(1);
    imageops::resize(&picture, width, u32::try_from(height).unwrap_or(u32::MAX), FilterType::Triangle)
}

/// Rows that one character draws.
const BAND: u32 = 6;
/// Colours that terminals have at least, as xterm.
const COLOURS: usize = 256;

/// Raster `1;1;W;H`, colours `#n;2;r;g;b` in hundredths, then for each band of six rows and each colour in it the columns as
/// characters of six bits, the top row lowest; `$` returns to the left, `-` goes to the next band.
fn sixel(picture: &RgbaImage) -> String {
    let (indices, palette) = in_colours(picture);
    let (width, height) = picture.dimensions();
    let mut out = format!("\u{1b}P0;1;0q\"1;1;{width};{height}");
    for (number, colour) in palette.iter().enumerate() {
        let [r, g, b] = colour.map(|value| (u32::from(value) * 100 + 127) / 255);
        out.push_str(&format!("#{number};2;{r};{g};{b}"));
    }
    let at = |x: u32, y: u32| indices[(y * width + x) as usize];
    for top in (0..height).step_by(BAND as usize) {
        let bottom = height.min(top + BAND);
        let mut used: Vec<u8> = (top..bottom).flat_map(|y| (0..width).map(move |x| at(x, y))).collect();
        used.sort_unstable();
        used.dedup();
        for colour in used {
            let bits = |x: u32| {
                (top..bottom).filter(|y| at(x, *y) == colour).fold(0, |bits, y| bits | 1 << (y - top))
            };
            let _ = write!(out, "#{colour}");
            push_runs(&mut out, (0..width).map(bits));
            out.push('$');
        }
        out.push('-');
    }
    out + "\u{1b}\\"
}

/// Columns as characters, more than three alike as `!count`; empty ones at the end are left out.
fn push_runs(out: &mut String, columns: impl Iterator<Item = u8>) {
    let mut columns = columns.peekable();
    while let Some(bits) = columns.next() {
        let mut count = 1;
        while columns.next_if_eq(&bits).is_some() {
            count += 1;
        }
        if bits == 0 && columns.peek().is_none() {
            return;
        }
        let character = char::from(b'?' + bits);
        match count {
            1..=3 => out.extend(std::iter::repeat_n(character, count)),
            _ => out.push_str(&format!("!{count}{character}")),
        }
    }
}

/// `[height * width]` numbers of colours, and the colours: those of the picture where they are few, else the nearest of
/// chosen ones.
fn in_colours(picture: &RgbaImage) -> (Vec<u8>, Vec<[u8; 3]>) {
    let opaque = |pixel: &Rgba<u8>| [pixel[0], pixel[1], pixel[2]];
    let mut colours = std::collections::BTreeSet::new();
    for pixel in picture.pixels() {
        colours.insert(opaque(pixel));
        if colours.len() > COLOURS {
            // Learnt from every tenth pixel, as the crate advises for speed.
            let chosen = color_quant::NeuQuant::new(10, COLOURS, picture.as_raw());
            let palette = chosen.color_map_rgb().chunks_exact(3).map(|c| [c[0], c[1], c[2]]).collect();
            return (picture.pixels().map(|pixel| chosen.index_of(&pixel.0) as u8).collect(), palette);
        }
    }
    let palette: Vec<[u8; 3]> = colours.into_iter().collect();
    let index = |pixel: &Rgba<u8>| palette.binary_search(&opaque(pixel)).unwrap_or_default() as u8;
    (picture.pixels().map(index).collect(), palette)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Room = Room { columns: 80, width: 800 };

    fn png(picture: &RgbaImage) -> Vec<u8> {
        let mut png = Vec::new();
        picture.write_to(&mut std::io::Cursor::new(&mut png), ImageFormat::Png).unwrap();
        png
    }

    /// Nowhere alike, and too much for one piece.
    fn photo(width: u32, height: u32) -> RgbaImage {
        let noise = |x: u32, y: u32, by: u32| (((x * 7919 + y * 104_729) * by) >> 3) as u8;
        RgbaImage::from_fn(width, height, |x, y| Rgba([noise(x, y, 3), noise(x, y, 5), noise(x, y, 11), 255]))
    }

    #[test]
    fn kitty_gets_the_png_in_pieces_of_4096_of_which_the_last_says_so() {
        let png = png(&photo(97, 53));
        let sent = draw(Protocol::Kitty, &png, WIDE).unwrap();
        let pieces: Vec<&str> = sent.split_terminator("\u{1b}\\").collect();
        assert!(pieces.len() > 2, "{} pieces", pieces.len());
        let mut data = String::new();
        for (number, piece) in pieces.iter().enumerate() {
            let (head, body) = piece.strip_prefix("\u{1b}_G").unwrap().split_once(';').unwrap();
            let more = u8::from(number + 1 < pieces.len());
            let first = if number == 0 { "a=T,f=100,q=2," } else { "" };
            assert_eq!(head, format!("{first}m={more}"));
            assert!(body.len() == 4096 || more == 0, "{} bytes", body.len());
            data.push_str(body);
        }
        assert_eq!(BASE64_STANDARD.decode(data).unwrap(), png);
        let narrow = draw(Protocol::Kitty, &png, Room { columns: 9, width: 96 }).unwrap();
        assert!(narrow.starts_with("\u{1b}_Ga=T,f=100,q=2,c=9,m=1;"), "{:?}", &narrow[..30]);
    }

    #[test]
    fn iterm_gets_the_png_with_its_size_and_no_more_columns_than_there_are() {
        let png = png(&photo(41, 23));
        let sent = draw(Protocol::Iterm, &png, WIDE).unwrap();
        let (head, data) = sent.strip_suffix('\u{7}').unwrap().split_once(':').unwrap();
        let expected = |width: &str| {
            format!("\u{1b}]1337;File=inline=1;size={};width={width};preserveAspectRatio=1", png.len())
        };
        assert_eq!(head, expected("auto"));
        assert_eq!(BASE64_STANDARD.decode(data).unwrap(), png);
        let narrow = draw(Protocol::Iterm, &png, Room { columns: 4, width: 40 }).unwrap();
        assert!(narrow.starts_with(&expected("4")), "{:?}", &narrow[..80]);
    }

    #[test]
    fn sixels_of_few_colours_are_exact() {
        // Two bands: 5 columns, 7 rows; green (#0) but for a red (#1) left column and a red lower right corner.
        let (green, red) = (Rgba([0, 128, 0, 255]), Rgba([255, 0, 0, 255]));
        let picture = RgbaImage::from_fn(5, 7, |x, y| if x == 0 || (x, y) == (4, 6) { red } else { green });
        // Six rows: 0b111111 = 63 = `~`; the seventh alone: 1 = `@`; none: `?`.
        let expected = "\u{1b}P0;1;0q\"1;1;5;7#0;2;0;50;0#1;2;100;0;0#0?!4~$#1~$-#0?@@@$#1@???@$-\u{1b}\\";
        assert_eq!(draw(Protocol::Sixel, &png(&picture), WIDE).unwrap(), expected);
    }

    #[test]
    fn sixels_of_a_photo_have_256_colours_and_are_no_wider_than_the_terminal() {
        let png = png(&photo(97, 53));
        let sent = draw(Protocol::Sixel, &png, Room { columns: 5, width: 50 }).unwrap();
        // 53 * 50 / 97 = 27.3.
        assert!(sent.starts_with("\u{1b}P0;1;0q\"1;1;50;27#0;2;"), "{:?}", &sent[..30]);
        let is_defined = |n: &usize| sent.contains(&format!("#{n};2;"));
        assert_eq!((0..300).filter(is_defined).count(), 256);
        assert_eq!(sent.matches('-').count(), 27usize.div_ceil(6));
        let again = draw(Protocol::Sixel, &png, Room { columns: 5, width: 50 }).unwrap();
        assert!(sent == again, "the same bytes for the same picture");
    }

    #[test]
    fn a_terminal_is_known_by_its_environment_and_none_is_guessed() {
        let of = |variables: &[(&str, &str)]| {
            Protocol::of_terminal(|name| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(&[("TERM", "xterm-kitty")]), Some(Protocol::Kitty));
        assert_eq!(of(&[("TERM", "xterm-256color"), ("KITTY_WINDOW_ID", "1")]), Some(Protocol::Kitty));
        assert_eq!(of(&[("TERM_PROGRAM", "ghostty")]), Some(Protocol::Kitty));
        assert_eq!(of(&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "iTerm.app")]), Some(Protocol::Iterm));
        assert_eq!(of(&[("TERM", "xterm-256color"), ("LC_TERMINAL", "iTerm2")]), Some(Protocol::Iterm));
        assert_eq!(of(&[("TERM", "foot")]), Some(Protocol::Sixel));
        assert_eq!(of(&[("TERM", "tmux-256color"), ("TMUX", "/tmp/x"), ("KITTY_WINDOW_ID", "1")]), None);
        assert_eq!(of(&[("TERM", "xterm-256color")]), None);
        assert_eq!(of(&[("TERM", "dumb")]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn what_is_no_png_is_an_error() {
        for protocol in [Protocol::Kitty, Protocol::Iterm, Protocol::Sixel] {
            assert!(draw(protocol, b"no picture", WIDE).is_err(), "{protocol:?}");
        }
        let cut = &png(&photo(97, 53))[..500];
        assert!(draw(Protocol::Sixel, cut, WIDE).is_err());
    }
}
