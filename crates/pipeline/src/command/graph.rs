//! `pipeline graph CONFIG`: the stages and what they read, with the state of each, as text that draws.

use pipeline_runner::{Graph, Plan};
use pipeline_stage::exit;

use super::Stop;
use super::how::planned;
use super::interrupt::Interrupt;
use super::job::{Folders, JobArguments};
use crate::terminal::Screen;

/// Print the graph of stages with the state of each, for Mermaid or Graphviz
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pipeline graph configs/dogscats.yaml\n  \
    pipeline graph configs/dogscats.yaml --format dot | dot -Tsvg > graph.svg")]
pub(super) struct Arguments {
    #[command(flatten)]
    job: JobArguments,
    #[command(flatten)]
    folders: Folders,
    /// The language: Mermaid, which GitHub and others draw in Markdown, or that of Graphviz
    #[arg(long, value_enum, default_value_t = Format::Mermaid)]
    format: Format,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    Mermaid,
    Dot,
}

/// The states in words, with the colours of their boxes and borders. The text in them is black, which is readable on each; the
/// hues are those that most colour-blind people tell apart (Okabe and Ito, jfly.uni-koeln.de/color), lightened.
const COLOURS: [(&str, &str, &str); 8] = [
    ("fresh", "#b3e0d2", "#009e73"),
    ("stale", "#f7ddb0", "#e69f00"),
    ("collected", "#e2e2e2", "#5f5f5f"),
    ("missing", "#ffffff", "#767676"),
    ("incomplete", "#f9f5b8", "#a39a00"),
    ("damaged", "#f3c9b1", "#d55e00"),
    ("depends", "#c3e3f6", "#0072b2"),
    ("unknown", "#eed7e4", "#cc79a7"),
];

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    let job = arguments.job.load()?;
    let options = arguments.folders.options(&job);
    let plan = planned(&job, &options, false, &Interrupt::listen(), screen)?;
    let drawn = Drawn::of(&job.graph, &plan);
    screen.line(&match arguments.format {
        Format::Mermaid => drawn.mermaid(),
        Format::Dot => drawn.dot(),
    });
    Ok(exit::DONE)
}

/// What is drawn: stages by their place, and arrows between them.
struct Drawn {
    /// Lines of text in the box of each stage, and its state.
    boxes: Vec<(Vec<String>, &'static str)>,
    /// From which place to which, and the name of the input.
    arrows: Vec<(usize, usize, String)>,
}

impl Drawn {
    fn of(graph: &Graph, plan: &Plan) -> Drawn {
        let place = |name: &str| graph.names().position(|known| known == name);
        let mut drawn = Drawn { boxes: vec![], arrows: vec![] };
        for (to, node) in graph.nodes().iter().enumerate() {
            let kind = node.stage.kind();
            let name = if node.name == kind { kind.to_owned() } else { format!("{} ({kind})", node.name) };
            let state = plan.stage(&node.name).map(|stage| &stage.state);
            let word = state.map_or("unknown", |state| state.word());
            let words = state.map(ToString::to_string).unwrap_or_default();
            let words = if words.starts_with(word) { words } else { format!("{word}: {words}") };
            drawn.boxes.push((vec![name, words], word));
            for (input, upstreams) in &node.inputs {
                let from = upstreams.iter().filter_map(|name| place(name));
                drawn.arrows.extend(from.map(|from| (from, to, input.clone())));
            }
        }
        drawn
    }

    /// A flowchart (mermaid.js.org/syntax/flowchart.html).
    fn mermaid(&self) -> String {
        let mut lines = vec!["flowchart TD".to_owned()];
        for (place, (text, state)) in self.boxes.iter().enumerate() {
            let text: Vec<String> = text.iter().map(|line| mermaid_text(line)).collect();
            lines.push(format!("  s{place}[\"{}\"]:::{state}", text.join("<br/>")));
        }
        for (from, to, input) in &self.arrows {
            lines.push(format!("  s{from} -->|\"{}\"| s{to}", mermaid_text(input)));
        }
        for (state, fill, border) in COLOURS.iter().filter(|(state, ..)| self.has(state)) {
            lines.push(format!("  classDef {state} fill:{fill},stroke:{border},color:#000000"));
        }
        lines.join("\n")
    }

    /// A digraph (graphviz.org/doc/info/lang.html).
    fn dot(&self) -> String {
        let mut lines = vec![
            "digraph pipeline {".to_owned(),
            "  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\", fontcolor=\"#000000\"];"
                .to_owned(),
            "  edge [fontname=\"sans-serif\", fontsize=10];".to_owned(),
        ];
        for (place, (text, state)) in self.boxes.iter().enumerate() {
            let text: Vec<String> = text.iter().map(|line| dot_text(line)).collect();
            let colour = COLOURS.iter().find(|(word, ..)| word == state);
            let (fill, border) = colour.map_or(("#ffffff", "#000000"), |(_, fill, border)| (*fill, *border));
            let label = text.join("\\n");
            lines.push(format!("  s{place} [label=\"{label}\", fillcolor=\"{fill}\", color=\"{border}\"];"));
        }
        for (from, to, input) in &self.arrows {
            lines.push(format!("  s{from} -> s{to} [label=\"{}\"];", dot_text(input)));
        }
        lines.push("}".to_owned());
        lines.join("\n")
    }

    fn has(&self, state: &str) -> bool {
        self.boxes.iter().any(|(_, word)| *word == state)
    }
}

/// Letters, digits and plain marks stay; anything that could end a label or mark something up becomes the code of its letter, as
/// in `#34;`.
fn mermaid_text(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || " .,:()/_-→…=+%'".contains(c);
    let escaped = text.chars().map(|c| match c {
        '\n' => " ".to_owned(),
        c if is_plain(c) => c.to_string(),
        c => format!("#{};", u32::from(c)),
    });
    escaped.collect()
}

/// Inside quotes only these mean something.
fn dot_text(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn() -> Drawn {
        let lines = |lines: [&str; 2]| lines.map(str::to_owned).to_vec();
        Drawn {
            boxes: vec![
                (lines(["ingest", "fresh"]), "fresh"),
                (lines(["tune (finetune)", "stale (policy \"a\\b\" → <b>#1</b>\nx)"]), "stale"),
            ],
            arrows: vec![(0, 1, "images".to_owned())],
        }
    }

    #[test]
    fn a_flowchart_has_a_box_with_name_and_state_for_each_stage_and_an_arrow_for_each_input() {
        let expected = "flowchart TD
  s0[\"ingest<br/>fresh\"]:::fresh
  s1[\"tune (finetune)<br/>stale (policy #34;a#92;b#34; → #60;b#62;#35;1#60;/b#62; x)\"]:::stale
  s0 -->|\"images\"| s1
  classDef fresh fill:#b3e0d2,stroke:#009e73,color:#000000
  classDef stale fill:#f7ddb0,stroke:#e69f00,color:#000000";
        assert_eq!(drawn().mermaid(), expected);
    }

    #[test]
    fn a_digraph_escapes_what_would_end_its_labels() {
        let text = drawn().dot();
        let label = r##"  s1 [label="tune (finetune)\nstale (policy \"a\\b\" → <b>#1</b> x)", fillcolor="#f7ddb0", color="#e69f00"];"##;
        assert!(text.lines().any(|line| line == label), "{text}");
        assert!(text.lines().any(|line| line == "  s0 -> s1 [label=\"images\"];"), "{text}");
    }

    /// WCAG 2.2, 1.4.3: (L1 + 0.05) / (L2 + 0.05) of the relative luminances.
    #[test]
    fn black_text_is_readable_on_every_colour_and_every_border_shows_on_white() {
        let luminance = |hex: &str| {
            let channel = |at: usize| {
                let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
                if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
        };
        for (state, fill, border) in COLOURS {
            let text = (luminance(fill) + 0.05) / 0.05;
            assert!(text >= 7.0, "{state}: {text}");
            let edge = 1.05 / (luminance(border) + 0.05);
            assert!(edge >= 2.0, "{state}: {edge}");
        }
    }
}
