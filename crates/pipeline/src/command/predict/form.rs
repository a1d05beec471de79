//! [`Form`]: an answer as a line of a table, of CSV, or of JSON.

use pipeline_predict::answer::top;
use pipeline_stage::words;
use pipeline_table::{AnswerRow, Refused, Said};
use serde::Serialize;

/// How answers are printed or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Columns for people
    Table,
    /// A line for each photo, with the probabilities of all classes
    Csv,
    /// An object for each photo, one a line
    Json,
    /// As CSV, in the columns of a Parquet file
    Parquet,
}

impl Format {
    /// The format that the ending of a file's name says.
    pub(super) fn of(path: &std::path::Path) -> Option<Format> {
        match path.extension()?.to_str()?.to_lowercase().as_str() {
            "txt" => Some(Format::Table),
            "csv" => Some(Format::Csv),
            "json" | "jsonl" | "ndjson" => Some(Format::Json),
            "parquet" => Some(Format::Parquet),
            _ => None,
        }
    }
}

/// How the lines of a format look.
#[derive(Debug)]
pub(super) struct Form<'a> {
    pub(super) format: Format,
    /// Class names in order of their numbers.
    pub(super) classes: &'a [String],
    /// How many classes are named of each photo, at least 1.
    pub(super) top: usize,
    /// Width of the column `predicted` of a table.
    width: usize,
}

impl<'a> Form<'a> {
    pub(super) fn new(format: Format, classes: &'a [String], top: usize) -> Self {
        let letters = |name: &str| name.chars().count();
        let width =
            classes.iter().map(|class| letters(class)).max().unwrap_or(0).clamp("predicted".len(), 40);
        Form { format, classes, top: top.min(classes.len()), width }
    }

    /// The line above the others.
    pub(super) fn header(&self) -> Option<String> {
        match self.format {
            Format::Json | Format::Parquet => None,
            Format::Table => {
                Some(format!("  {:<width$}   confidence   photo", "predicted", width = self.width))
            }
            Format::Csv => {
                let mut fields =
                    ["id", "predicted", "predicted_id", "confidence"].map(str::to_owned).to_vec();
                let further = |place| [format!("predicted_{place}"), format!("confidence_{place}")];
                fields.extend((2..=self.top).flat_map(further));
                fields.extend(self.classes.iter().map(|class| words::csv_field(&format!("probs.{class}"))));
                fields.extend(["reason", "detail"].map(str::to_owned));
                Some(fields.join(","))
            }
        }
    }

    /// The line of a photo.
    pub(super) fn line(&self, row: &AnswerRow) -> String {
        match self.format {
            Format::Csv => self.csv(row),
            Format::Json => self.json(row),
            Format::Table | Format::Parquet => self.table(row),
        }
    }

    fn table(&self, row: &AnswerRow) -> String {
        let width = self.width;
        let id = row.id.replace('\n', " ");
        match &row.answer {
            Err(Refused { detail, .. }) => format!("  {:<width$}   {:>10}   {id}   ({detail})", "bad", "-"),
            Ok(said) => {
                let others = self.top(said).skip(1);
                let others: Vec<String> = others.map(|(class, prob)| format!("{class} {prob:.4}")).collect();
                let others =
                    if others.is_empty() { String::new() } else { format!("   ({})", others.join(", ")) };
                format!("  {:<width$}   {:>10.4}   {id}{others}", said.predicted, said.confidence)
            }
        }
    }

    fn csv(&self, row: &AnswerRow) -> String {
        let mut fields = vec![words::csv_field(&row.id)];
        match &row.answer {
            Ok(said) => {
                let number = said.predicted_id.map(|id| id.to_string()).unwrap_or_default();
                fields.extend([words::csv_field(&said.predicted), number, words::number(said.confidence)]);
                for (class, prob) in self.top(said).skip(1) {
                    fields.extend([words::csv_field(class), words::number(prob)]);
                }
                fields.extend(said.probs.iter().map(|prob| words::number(*prob)));
                fields.extend([String::new(), String::new()]);
            }
            Err(refused) => {
                let empty = 3 + 2 * (self.top.max(1) - 1) + self.classes.len();
                fields.extend(std::iter::repeat_n(String::new(), empty));
                fields.extend([words::csv_field(&refused.reason), words::csv_field(&refused.detail)]);
            }
        }
        fields.join(",")
    }

    fn json(&self, row: &AnswerRow) -> String {
        let (said, refused) = (row.answer.as_ref().ok(), row.answer.as_ref().err());
        let top = said
            .map(|said| self.top(said).map(|(class, probability)| Likely { class, probability }).collect());
        let line = Line {
            id: &row.id,
            predicted: said.map(|said| said.predicted.as_str()),
            predicted_id: said.and_then(|said| said.predicted_id),
            confidence: said.map(|said| said.confidence),
            top: top.unwrap_or_default(),
            reason: refused.map(|refused| refused.reason.as_str()),
            detail: refused.map(|refused| refused.detail.as_str()),
        };
        // Text and finite numbers can always be written.
        serde_json::to_string(&line).unwrap_or_default()
    }

    /// The most probable classes with their probabilities.
    fn top<'s>(&'s self, said: &'s Said) -> impl Iterator<Item = (&'s str, f32)> {
        let classes = top(&said.probs, self.top).into_iter().map(|class| class as usize);
        classes.map(|class| (self.classes[class].as_str(), said.probs[class]))
    }
}

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    predicted: Option<&'a str>,
    predicted_id: Option<u32>,
    confidence: Option<f32>,
    top: Vec<Likely<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

#[derive(Serialize)]
struct Likely<'a> {
    class: &'a str,
    probability: f32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> Vec<String> {
        ["cats", "=dogs", "emus"].map(str::to_owned).to_vec()
    }

    fn rows() -> [AnswerRow; 3] {
        let probs = vec![0.1, 0.7, 0.2];
        let said = |predicted: &str, predicted_id| {
            Ok(Said { predicted: predicted.to_owned(), predicted_id, confidence: 0.7, probs: probs.clone() })
        };
        let refused =
            Refused { reason: "html_page".to_owned(), detail: "an HTML page: it has a tag".to_owned() };
        let row = |id: &str, answer| AnswerRow { id: id.to_owned(), answer };
        [
            row("a,1.jpg", said("=dogs", Some(1))),
            row("-b\n.jpg", said("unsure", None)),
            row("c.jpg", Err(refused)),
        ]
    }

    fn text(format: Format, top: usize) -> String {
        let classes = classes();
        let form = Form::new(format, &classes, top);
        let lines = rows().into_iter().map(|row| form.line(&row));
        form.header().into_iter().chain(lines).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn csv_has_all_probabilities_and_no_formulas() {
        let expected = "id,predicted,predicted_id,confidence,probs.cats,probs.=dogs,probs.emus,reason,detail\n\
            \"a,1.jpg\",'=dogs,1,0.7,0.1,0.7,0.2,,\n\
            \"'-b\n.jpg\",unsure,,0.7,0.1,0.7,0.2,,\n\
            c.jpg,,,,,,,html_page,an HTML page: it has a tag";
        assert_eq!(text(Format::Csv, 1), expected);
        let two = text(Format::Csv, 2);
        let lines: Vec<&str> = two.lines().collect();
        assert!(
            lines[0].starts_with("id,predicted,predicted_id,confidence,predicted_2,confidence_2,probs.cats")
        );
        assert_eq!(lines[1], "\"a,1.jpg\",'=dogs,1,0.7,emus,0.2,0.1,0.7,0.2,,");
        assert_eq!(lines[4].matches(',').count(), lines[0].matches(',').count());
    }

    #[test]
    fn json_has_an_object_a_line_with_the_most_probable_classes() {
        let expected = r#"{"id":"a,1.jpg","predicted":"=dogs","predicted_id":1,"confidence":0.7,"top":[{"class":"=dogs","probability":0.7},{"class":"emus","probability":0.2}]}
{"id":"-b\n.jpg","predicted":"unsure","predicted_id":null,"confidence":0.7,"top":[{"class":"=dogs","probability":0.7},{"class":"emus","probability":0.2}]}
{"id":"c.jpg","predicted":null,"predicted_id":null,"confidence":null,"top":[],"reason":"html_page","detail":"an HTML page: it has a tag"}"#;
        assert_eq!(text(Format::Json, 2), expected);
    }

    #[test]
    fn a_table_names_the_photo_last() {
        let expected = "  predicted   confidence   photo
  =dogs           0.7000   a,1.jpg   (emus 0.2000, cats 0.1000)
  unsure          0.7000   -b .jpg   (emus 0.2000, cats 0.1000)
  bad                  -   c.jpg   (an HTML page: it has a tag)";
        assert_eq!(text(Format::Table, 9), expected);
    }

    #[test]
    fn the_ending_of_a_name_says_the_format() {
        let of = |name: &str| Format::of(std::path::Path::new(name));
        assert_eq!(of("a/b.CSV"), Some(Format::Csv));
        assert_eq!(of("b.jsonl"), Some(Format::Json));
        assert_eq!(of("b.parquet"), Some(Format::Parquet));
        assert_eq!((of("csv"), of("b.xls")), (None, None));
    }
}
