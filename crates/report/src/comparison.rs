//! [`Comparison`]: two evaluations side by side, as a verdict for a terminal and as a page.
//!
//! One of both is *this*, which is asked about, the other *that*, which it is held against: a difference is this less that.
//! Every text is escaped in the page; names of files and classes come from strangers.

use minijinja::{Environment, Value, context};
use pipeline_fit::McNemar;
use pipeline_stage::words::count;

use crate::error::Error;

/// Its name ends in `.html`, which makes the engine escape every text.
const TEMPLATE: (&str, &str) = ("comparison.html", include_str!("../templates/comparison.html"));

/// Pairs that the verdict for a terminal shows.
const MOST_PAIRS: usize = 8;
/// Warnings that it shows.
const MOST_WARNINGS: usize = 3;

/// Two evaluations on the same photos.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// The one that is asked about.
    pub this: Side,
    /// The one that it is held against.
    pub that: Side,
    /// `train`, `valid` or `test`.
    pub split: String,
    /// A model and mode of each, the most telling pair last.
    pub pairs: Vec<Pair>,
    /// What the numbers leave out or may mislead about, a sentence each.
    pub warnings: Vec<String>,
    /// What differs in how both were made.
    pub settings: Vec<Setting>,
    /// What is not known about how they were made, a sentence each.
    pub unknown: Vec<String>,
    /// Numbers that each evaluation recorded about itself, on all its photos: name, that, this.
    pub recorded: Vec<(String, Option<f64>, Option<f64>)>,
}

/// One of two evaluations.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Side {
    /// For people: `dogscats`, `run 20261128T123509Z-1d6ff585`.
    pub name: String,
    /// Which artifact: `evaluate 7e55baee…`.
    pub artifact: String,
}

/// How a model of one evaluation did beside one of the other, on the labelled photos that both measured.
#[derive(Debug, Clone)]
pub struct Pair {
    /// Model and mode of this: `head`, `head.tta`.
    pub this: String,
    /// Model and mode of that.
    pub that: String,
    /// Photos measured.
    pub photos: u64,
    /// Of them, those that this has right.
    pub this_right: u64,
    /// Of them, those that that has right.
    pub that_right: u64,
    /// Mean negative log-likelihood of the label in nats, of this.
    pub this_log_loss: f64,
    /// The same of that.
    pub that_log_loss: f64,
    /// Photos that only one of both has right; this is the first.
    pub test: McNemar,
    /// Photos that both have wrong, each in its way.
    pub otherwise_wrong: u64,
    /// Photos that this has right and that wrong, in order of ids; not all where there are many.
    pub fixed: Vec<Turned>,
    /// Photos that this has wrong and that right, in order of ids; not all where there are many.
    pub broken: Vec<Turned>,
}

/// A photo that one of both has right and the other wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Turned {
    /// Path relative to the data root.
    pub id: String,
    /// Actual class.
    pub label: String,
    /// What this says, and how sure it is, 0 to 1.
    pub this: (String, f32),
    /// What that says, and how sure it is.
    pub that: (String, f32),
}

/// Something that both were made with differently.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The stage: `head`.
    pub stage: String,
    /// What it is: `lr`, `seed`.
    pub name: String,
    /// Its value in that; `None` where it has none.
    pub that: Option<String>,
    /// Its value in this.
    pub this: Option<String>,
}

impl Comparison {
    /// The verdict in at most 17 lines.
    pub fn text(&self) -> String {
        let mut lines = vec![self.this.line("this"), self.that.line("that")];
        let photos = self.pairs.last().map_or(0, |pair| pair.photos);
        lines.push(format!("on {} {} photos that both measured", count(photos), self.split));
        lines.push(String::new());
        // The last are the most telling.
        let shown = &self.pairs[self.pairs.len().saturating_sub(MOST_PAIRS)..];
        let width =
            shown.iter().map(|pair| pair.name().chars().count()).max().unwrap_or(0).max("accuracy".len());
        lines.push(format!(
            "  {:<width$}   {:>6}   {:>6}   difference   only this right   only that right   McNemar's p",
            "accuracy", "that", "this"
        ));
        for pair in shown {
            lines.push(format!(
                "  {:<width$}   {:.4}   {:.4}   {:>10}   {:>15}   {:>15}   {:>11}",
                pair.name(),
                pair.that_accuracy(),
                pair.this_accuracy(),
                signed(pair.this_accuracy() - pair.that_accuracy()),
                count(pair.test.only_first),
                count(pair.test.only_second),
                pair.test.p_short(),
            ));
        }
        if self.pairs.len() > shown.len() {
            lines.push(format!("  {} more on the page", self.pairs.len() - shown.len()));
        }
        lines.extend(self.pairs.last().map(Pair::verdict));
        lines.extend(self.warnings.iter().take(MOST_WARNINGS).map(|warning| format!("warning: {warning}")));
        lines.join("\n")
    }

    /// The page: the verdict, numbers side by side, photos that changed sides, and what both were made with.
    ///
    /// # Errors
    /// [`Error::Template`].
    pub fn html(&self) -> Result<String, Error> {
        let side = |side: &Side| context! { name => &side.name, artifact => &side.artifact };
        let settings = self.settings.iter().map(|setting| {
            context! { stage => &setting.stage, name => &setting.name, that => &setting.that, this => &setting.this }
        });
        let recorded = self.recorded.iter().map(|(name, that, this)| {
            let number = |n: &Option<f64>| n.map(|n| format!("{n:.4}"));
            let difference = that.zip(*this).map(|(that, this)| signed(this - that));
            context! { name, that => number(that), this => number(this), difference }
        });
        let mut environment = Environment::new();
        environment.add_template(TEMPLATE.0, TEMPLATE.1)?;
        let page = environment.get_template(TEMPLATE.0)?;
        Ok(page.render(context! {
            this => side(&self.this),
            that => side(&self.that),
            split => &self.split,
            verdict => self.pairs.last().map(Pair::verdict),
            photos => count(self.pairs.last().map_or(0, |pair| pair.photos)),
            warnings => &self.warnings,
            pairs => self.pairs.iter().rev().map(Pair::context).collect::<Vec<_>>(),
            settings => settings.collect::<Vec<_>>(),
            unknown => &self.unknown,
            recorded => recorded.collect::<Vec<_>>(),
        })?)
    }
}

impl Side {
    fn line(&self, word: &str) -> String {
        format!("{word}: {}, {}", self.name, self.artifact)
    }
}

impl Pair {
    /// `head`, or `finetune (that: last_layer)` where both have other names.
    fn name(&self) -> String {
        if self.this == self.that {
            self.this.clone()
        } else {
            format!("{} (that: {})", self.this, self.that)
        }
    }

    /// Share of photos that this has right, 0 to 1.
    fn this_accuracy(&self) -> f64 {
        self.this_right as f64 / self.photos as f64
    }

    /// Share of photos that that has right, 0 to 1.
    fn that_accuracy(&self) -> f64 {
        self.that_right as f64 / self.photos as f64
    }

    /// A sentence on who is better.
    fn verdict(&self) -> String {
        let McNemar { only_first, only_second, .. } = self.test;
        let name = self.name();
        let (p, is_beyond_chance) = (self.test.p_in_words(), self.test.is_beyond_chance());
        match only_first.cmp(&only_second) {
            _ if (only_first, only_second) == (0, 0) => format!("{name}: both have the same photos right"),
            std::cmp::Ordering::Greater if is_beyond_chance => {
                format!("{name}: this is better beyond chance ({p})")
            }
            std::cmp::Ordering::Less if is_beyond_chance => {
                format!("{name}: that is better beyond chance ({p})")
            }
            _ => format!("{name}: no difference beyond chance ({p})"),
        }
    }

    fn context(&self) -> Value {
        let turned = |all: u64, listed: &[Turned]| {
            let photo = |photo: &Turned| {
                let share = |share: f32| format!("{share:.3}");
                context! {
                    id => &photo.id,
                    label => &photo.label,
                    that => &photo.that.0, that_confidence => share(photo.that.1),
                    this => &photo.this.0, this_confidence => share(photo.this.1),
                }
            };
            let left_out = all.saturating_sub(listed.len() as u64);
            context! {
                count => count(all),
                photos => listed.iter().map(photo).collect::<Vec<_>>(),
                left_out => (left_out > 0).then(|| count(left_out)),
            }
        };
        let (this_errors, that_errors) = (self.photos - self.this_right, self.photos - self.that_right);
        let row = |name: &str, that: String, this: String, difference: String| {
            context! { name, that, this, difference }
        };
        let measures = [
            row(
                "accuracy",
                format!("{:.4}", self.that_accuracy()),
                format!("{:.4}", self.this_accuracy()),
                signed(self.this_accuracy() - self.that_accuracy()),
            ),
            row(
                "log loss",
                format!("{:.4}", self.that_log_loss),
                format!("{:.4}", self.this_log_loss),
                signed(self.this_log_loss - self.that_log_loss),
            ),
            row(
                "errors",
                count(that_errors),
                count(this_errors),
                format!("{:+}", this_errors as i128 - that_errors as i128),
            ),
        ];
        context! {
            name => self.name(),
            verdict => self.verdict(),
            p_value => self.test.p_short(),
            measures,
            fixed => turned(self.test.only_first, &self.fixed),
            broken => turned(self.test.only_second, &self.broken),
            otherwise_wrong => (self.otherwise_wrong > 0).then(|| count(self.otherwise_wrong)),
        }
    }
}

/// `+0.0010`; nothing is never `-0.0000`.
fn signed(difference: f64) -> String {
    format!("{:+.4}", (difference * 1e4).round() / 1e4 + 0.0)
}
