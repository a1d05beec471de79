//! [`Policy`]: an augmentation as a list of transforms, what it draws for a view, and its form as JSON.

use pipeline_stage::params::{Problem, describe};
use pipeline_stage::random::{Random, Stream};
use pipeline_stage::suggest::nearest;
use serde_json::{Map as JsonMap, Value, json};

use crate::border::Border;
use crate::canvas::Canvas;
use crate::choice::POLICIES;
use crate::transform::{AnyTransform, Draw, TRANSFORMS, TransformKind};

/// The random numbers of a training view of a photo in an epoch.
pub fn stream(seed: u64, epoch: u64, photo_id: &str, view: u32) -> Stream<'_> {
    Stream { seed, purpose: "augment", epoch, item: photo_id, view }
}

/// Transforms in order, and what lies beyond the photo's edges.
///
/// A view is made in three steps: the photo is scaled to the network's size and moved as all geometric transforms say,
/// in their order; a square of the size is cropped at a random place, and all that is sampled at once; then the other
/// transforms change its pixels, in their order. (The lesson's own order is scale, rotate, lighting, flip, crop. Lighting
/// asks only for the mean, which it takes of the photo here and of the rotated one there, and not where a pixel is.)
#[derive(Debug, Clone)]
pub struct Policy {
    /// What lies beyond the photo's edges.
    pub border: Border,
    /// Transforms in order.
    pub steps: Vec<Box<dyn AnyTransform>>,
}

/// A number that a policy draws for each view: a column of the table of views.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name; a second transform of one kind has `_2` behind it.
    pub name: String,
    /// The value that changes nothing.
    pub neutral: f32,
}

/// The columns of the crop, which every policy ends with: the shares, 0 to 1, of the room left and above the square.
const CROP: [&str; 2] = ["crop_x", "crop_y"];

/// Most transforms of a policy: more are a slip, and their preview would be a sheet that nobody can look at.
const MOST_STEPS: usize = 32;

/// Side of the view, in pixels, with which shapes are followed while numbers are drawn.
const NOMINAL_SIZE: u32 = 224;

impl Policy {
    /// The numbers of a view, in order: those of each step, then where the crop is.
    pub fn columns(&self) -> Vec<Column> {
        let mut columns: Vec<Column> = Vec::new();
        for (at, step) in self.steps.iter().enumerate() {
            let before = self.steps[..at].iter().filter(|other| other.name() == step.name()).count();
            let suffix = if before == 0 { String::new() } else { format!("_{}", before + 1) };
            columns.extend(
                step.numbers().iter().map(|number| Column {
                    name: format!("{}{suffix}", number.name),
                    neutral: number.neutral,
                }),
            );
        }
        columns.extend(CROP.map(|name| Column { name: name.to_owned(), neutral: 0.5 }));
        columns
    }

    /// How many numbers a view has: those of [`Policy::columns`].
    pub fn numbers(&self) -> usize {
        self.steps.iter().map(|step| step.numbers().len()).sum::<usize>() + CROP.len()
    }

    /// The numbers of a view that is not augmented: the photo at the network's scale, the crop in the middle.
    pub fn neutral(&self) -> Vec<f32> {
        let mut numbers = Vec::new();
        self.neutral_into(&mut numbers);
        numbers
    }

    fn neutral_into(&self, numbers: &mut Vec<f32>) {
        numbers.clear();
        let of_steps = self.steps.iter().flat_map(|step| step.numbers());
        numbers.extend(of_steps.map(|number| number.neutral));
        numbers.extend(CROP.map(|_| 0.5));
    }

    /// Draws the numbers of one view of a photo of `width` x `height` pixels.
    pub fn draw(&self, random: &mut Random, width: u32, height: u32) -> Vec<f32> {
        let mut numbers = Vec::new();
        self.draw_into(&mut numbers, random, width, height);
        numbers
    }

    /// As [`Policy::draw`], in place of what `numbers` held.
    pub fn draw_into(&self, numbers: &mut Vec<f32>, random: &mut Random, width: u32, height: u32) {
        self.draw_where(|draw, p| draw.chance(p), numbers, random, width, height);
    }

    /// As [`Policy::draw`], with every transform applied whatever its probability: to look at them.
    pub fn draw_always(&self, random: &mut Random, width: u32, height: u32) -> Vec<f32> {
        let mut numbers = Vec::new();
        self.draw_where(|_, _| true, &mut numbers, random, width, height);
        numbers
    }

    fn draw_where(
        &self,
        is_applied: impl Fn(&mut Draw<'_>, f64) -> bool,
        numbers: &mut Vec<f32>,
        random: &mut Random,
        width: u32,
        height: u32,
    ) {
        self.neutral_into(numbers);
        // What the transforms before make of the photo's shape; the size does not matter.
        let mut canvas = Canvas::new(width.max(1), height.max(1), NOMINAL_SIZE);
        let mut draw = Draw { random, aspect: 1.0 };
        let mut at = 0;
        for step in &self.steps {
            let own = at..at + step.numbers().len();
            at = own.end;
            if is_applied(&mut draw, step.p()) {
                let (wide, high) = canvas.sides();
                draw.aspect = wide / high;
                step.draw(&mut draw, &mut numbers[own.clone()]);
                step.place(&numbers[own], &mut canvas);
            }
        }
        for share in &mut numbers[at..] {
            *share = draw.unit() as f32;
        }
    }

    /// What the numbers of a view do, for people: `scale 1.06, angle −4.1°, flip`. Where the crop is, a picture shows.
    pub fn words(&self, numbers: &[f32]) -> String {
        let words = self.active(numbers).map(|(step, own)| step.words(own)).filter(|words| !words.is_empty());
        words.collect::<Vec<_>>().join(", ")
    }

    /// The steps with their numbers, without those that change nothing; `numbers` begins with those of all steps.
    pub(crate) fn active<'a>(
        &'a self,
        numbers: &'a [f32],
    ) -> impl Iterator<Item = (&'a dyn AnyTransform, &'a [f32])> {
        let mut rest = numbers;
        let with_numbers = self.steps.iter().map(move |step| {
            let (own, others) = rest.split_at(step.numbers().len());
            rest = others;
            (step.as_ref(), own)
        });
        with_numbers.filter(|(step, own)| {
            step.numbers().iter().zip(*own).any(|(number, drawn)| number.neutral != *drawn)
        })
    }

    /// `{"border": "reflect", "steps": [{"scale": {...}}, ...]}`, every parameter written out.
    pub fn to_json(&self) -> Value {
        json!({ "border": self.border, "steps": steps_to_json(&self.steps) })
    }

    /// Reads [`Policy::to_json`].
    ///
    /// # Errors
    /// What is wrong with it, each problem with its path.
    pub fn from_json(json: &Value) -> Result<Policy, Vec<Problem>> {
        let border = serde_json::from_value(json["border"].clone())
            .map_err(|error| vec![Problem::new("border", error.to_string())])?;
        let steps = steps_from_json(&json["steps"]).map_err(|problems| under("steps", problems))?;
        Ok(Policy { border, steps })
    }
}

/// A list of transforms as it stands in a config, every parameter written out.
pub fn steps_to_json(steps: &[Box<dyn AnyTransform>]) -> Value {
    steps.iter().map(|step| json!({ step.name(): step.params() })).collect()
}

/// Reads a list of transforms as written: each a name, or a name with parameters.
///
/// # Errors
/// Every problem found, with its path in the list.
pub fn steps_from_json(given: &Value) -> Result<Vec<Box<dyn AnyTransform>>, Vec<Problem>> {
    let Value::Array(given) = given else {
        let message = format!("expected a list of transforms, found {}", describe(given));
        return Err(vec![Problem::whole(message)]);
    };
    if given.len() > MOST_STEPS {
        let message = format!("expected at most {MOST_STEPS} transforms, found {}", given.len());
        return Err(vec![Problem::whole(message)]);
    }
    let mut steps = Vec::new();
    let mut problems = Vec::new();
    for (at, given) in given.iter().enumerate() {
        match step_from_json(given) {
            Ok(step) => steps.push(step),
            Err(found) => problems.extend(under(&at.to_string(), found)),
        }
    }
    if problems.is_empty() { Ok(steps) } else { Err(problems) }
}

fn step_from_json(given: &Value) -> Result<Box<dyn AnyTransform>, Vec<Problem>> {
    let one = |map: &JsonMap<String, Value>| match map.iter().next() {
        Some((name, params)) if map.len() == 1 => Some((name.clone(), params.clone())),
        _ => None,
    };
    let named = match given {
        Value::String(name) => Some((name.clone(), Value::Null)),
        Value::Object(map) => one(map),
        _ => None,
    };
    let Some((name, params)) = named else {
        let (found, hint) = match given {
            Value::Object(map) if !map.is_empty() => (
                format!(
                    "a map of {}",
                    map.keys().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
                ),
                "indent parameters below the name, and begin each transform with a dash".to_owned(),
            ),
            _ => (describe(given), "write for example `- flip` or `- rotate: { max_deg: 20 }`".to_owned()),
        };
        let message =
            format!("expected the name of a transform, alone or with its parameters, found {found}");
        return Err(vec![Problem::whole(message).hint(hint)]);
    };
    let kind = find(&name).ok_or_else(|| vec![unknown(&name, given.is_object())])?;
    kind.parse(&params).map_err(|problems| under(&name, problems))
}

/// The kind of transform of this name.
fn find(name: &str) -> Option<&'static TransformKind> {
    TRANSFORMS.iter().find(|kind| kind.name == name)
}

fn unknown(name: &str, has_params: bool) -> Problem {
    let known: Vec<&str> = TRANSFORMS.iter().map(|kind| kind.name).collect();
    Problem {
        path: if has_params { vec![name.to_owned()] } else { vec![] },
        at_key: has_params,
        message: format!("unknown transform `{name}`\nexpected one of: {}", known.join(", ")),
        hint: match POLICIES.iter().any(|policy| policy.name == name) {
            true => Some(format!("it is a policy: write `policy: {name}`, or the transforms that you want")),
            false => nearest(name, known).map(|near| format!("did you mean `{near}`?")),
        },
    }
}

/// Problems of a part, as problems of the whole.
pub(crate) fn under(part: &str, problems: Vec<Problem>) -> Vec<Problem> {
    problems.into_iter().map(|problem| problem.under(part)).collect()
}
