use pipeline_stage::Problem;
use serde_json::{Value, json};

use super::*;

const NAMES: &str = "stem to layer2, layer3 and layer4, head";

fn recipe(given: Value) -> Recipe {
    serde_json::from_value(given).unwrap()
}

/// What is wrong with a recipe for three layer groups: (path, message, hint).
fn problems(given: Value) -> Vec<(String, String, Option<String>)> {
    let mut problems: Vec<Problem> = vec![];
    recipe(given).check(3, NAMES, &mut problems);
    problems.into_iter().map(|p| (p.path.join("."), p.message, p.hint)).collect()
}

/// The only problem, without its hint.
fn problem(given: Value) -> (String, String) {
    let found = problems(given.clone());
    assert_eq!(found.len(), 1, "{given}: {found:?}");
    let (path, message, _) = found[0].clone();
    (path, message)
}

#[test]
fn nothing_written_is_the_lesson() {
    let empty = recipe(json!({}));
    assert_eq!(empty, Recipe::default());
    assert_eq!(
        serde_json::to_value(&empty).unwrap(),
        json!({
            "lr": null, "epochs": null, "cycles": null, "cycle_len": null, "cycle_mult": null, "schedule": null,
            "warmup_steps": 0, "batch_size": 64, "accumulate": 1, "optimizer": "sgd", "momentum": 0.9,
            "weight_decay": 0.0, "clip": null, "label_smoothing": 0.0, "class_weights": "none",
            "sampler": "shuffle", "ema": null, "early_stopping": null, "keep": "last",
        })
    );
    assert_eq!(problems(json!({})), []);
}

#[test]
fn every_form_that_a_user_may_write_is_read_and_written_again() {
    for (given, lr) in [
        (json!(0.01), Rates::One(0.01)),
        (json!(1), Rates::One(1.0)),
        (json!([1e-4, 1e-3, 1e-2]), Rates::PerGroup(vec![1e-4, 1e-3, 1e-2])),
        (json!({"find": "slide"}), Rates::Find(Find { find: Suggestion::Slide })),
    ] {
        let read = recipe(json!({ "lr": given }));
        assert_eq!(read.lr, Some(lr));
        assert_eq!(recipe(serde_json::to_value(&read).unwrap()), read);
    }
    for (given, weights) in [
        (json!("none"), ClassWeights::None),
        (json!("balanced"), ClassWeights::Balanced),
        (json!([1, 0.5]), ClassWeights::Given(vec![1.0, 0.5])),
    ] {
        let read = recipe(json!({ "class_weights": given }));
        assert_eq!(read.class_weights, weights);
        assert_eq!(recipe(serde_json::to_value(&read).unwrap()), read);
    }
    let given = json!({
        "optimizer": "adamw", "sampler": "balanced", "keep": "best", "weight_decay": [0, 0.1, 0.2],
        "schedule": "one_cycle", "epochs": 3, "lr": {"find": "valley"},
    });
    let read = recipe(given.clone());
    assert_eq!(
        (read.optimizer, read.sampler, read.keep),
        (OptimizerKind::AdamW, Sampler::Balanced, Keep::Best)
    );
    assert_eq!(problems(given), []);
}

#[test]
fn what_no_form_fits_is_refused_with_the_forms() {
    let refused = |given: Value| serde_json::from_value::<Recipe>(given).unwrap_err().to_string();
    let lr = "expected a rate, a list with a rate for each layer group, or `find: valley` (or slide, minimum, steep)";
    for given in [json!("fast"), json!({"find": "best"}), json!({"find": "valley", "from": 1}), json!(["a"])]
    {
        assert_eq!(refused(json!({ "lr": given })), lr, "{given}");
    }
    let decays = "expected a number, or a list with one for each layer group";
    assert_eq!(refused(json!({"weight_decay": "much"})), decays);
    let weights = refused(json!({"class_weights": "fair"}));
    assert_eq!(weights, "expected `none`, `balanced`, or a list with a number for each class");
}

#[test]
fn a_list_of_another_length_than_there_are_groups_names_the_groups() {
    let found = problems(json!({"lr": [1e-3, 1e-2], "weight_decay": [0.1]}));
    let expected = [
        (
            "lr",
            "2 rates for 3 layer groups",
            "give 1 rate for all, or 3: stem to layer2, layer3 and layer4, head",
        ),
        (
            "weight_decay",
            "1 number for 3 layer groups",
            "give 1 number for all, or 3: stem to layer2, layer3 and layer4, head",
        ),
    ]
    .map(|(path, message, hint)| (path.to_owned(), message.to_owned(), Some(hint.to_owned())));
    assert_eq!(found, expected);

    let mut one = vec![];
    recipe(json!({"lr": [1e-3, 1e-2]})).check(1, "head", &mut one);
    let expected = Problem::new("lr", "2 rates for 1 layer group").hint("give 1 rate, for head");
    assert_eq!(one, [expected]);
}

#[test]
fn each_number_out_of_range_says_what_was_expected() {
    let of = |path: &str, message: &str| (path.to_owned(), message.to_owned());
    assert_eq!(problem(json!({"lr": 0})), of("lr", "expected a rate above 0, found 0"));
    assert_eq!(problem(json!({"lr": [1, -0.5, 1]})), of("lr.1", "expected a rate above 0, found -0.5"));
    assert_eq!(problem(json!({"epochs": 0})), of("epochs", "expected 1 to 10000, found 0"));
    assert_eq!(problem(json!({"cycles": 10001})), of("cycles", "expected 1 to 10000, found 10001"));
    assert_eq!(
        problem(json!({"cycles": 1, "cycle_len": 0})),
        of("cycle_len", "expected 1 to 10000, found 0")
    );
    assert_eq!(
        problem(json!({"cycles": 1, "cycle_mult": 0})),
        of("cycle_mult", "expected 1 to 10000, found 0")
    );
    assert_eq!(
        problem(json!({"batch_size": 1})),
        of("batch_size", "expected at least 2 photos per batch, found 1")
    );
    assert_eq!(
        problem(json!({"accumulate": 0})),
        of("accumulate", "expected at least 1 batch per step, found 0")
    );
    assert_eq!(problem(json!({"momentum": 1})), of("momentum", "expected 0 to below 1, found 1"));
    assert_eq!(
        problem(json!({"weight_decay": -1})),
        of("weight_decay", "expected a number from 0 to 1000, found -1")
    );
    assert_eq!(
        problem(json!({"weight_decay": 1e4})),
        of("weight_decay", "expected a number from 0 to 1000, found 10000")
    );
    let decays = json!({"weight_decay": [0, 0, -1]});
    assert_eq!(problem(decays), of("weight_decay.2", "expected a number from 0 to 1000, found -1"));
    assert_eq!(problem(json!({"clip": 0})), of("clip", "expected a norm above 0, found 0"));
    assert_eq!(
        problem(json!({"label_smoothing": 1})),
        of("label_smoothing", "expected 0 to below 1, found 1")
    );
    let weights = json!({"class_weights": [1, -2]});
    assert_eq!(
        problem(weights),
        of("class_weights.1", "expected a weight from 0.000001 to 1000000, found -2")
    );
    let none = "expected a weight for each class, found none";
    assert_eq!(problem(json!({"class_weights": []})), of("class_weights", none));
    let weights = json!({"class_weights": [0, 1]});
    assert_eq!(
        problem(weights),
        of("class_weights.0", "expected a weight from 0.000001 to 1000000, found 0")
    );
    assert_eq!(problem(json!({"ema": 1})), of("ema", "expected a decay from 0 to below 1, found 1"));
    assert_eq!(
        problem(json!({"early_stopping": 0})),
        of("early_stopping", "expected at least 1 epoch, found 0")
    );
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    // JSON has none; YAML has `.inf` and `.nan`.
    for bad in [f64::NAN, f64::INFINITY] {
        let mut found = vec![];
        let recipe = Recipe {
            lr: Some(Rates::One(bad)),
            momentum: bad,
            weight_decay: Decays::One(bad),
            clip: Some(bad),
            label_smoothing: bad,
            class_weights: ClassWeights::Given(vec![1.0, bad]),
            ema: Some(bad),
            ..Recipe::default()
        };
        recipe.check(3, NAMES, &mut found);
        let paths: Vec<String> = found.iter().map(|problem| problem.path.join(".")).collect();
        let expected =
            ["lr", "momentum", "weight_decay", "clip", "label_smoothing", "class_weights.1", "ema"];
        assert_eq!(paths, expected);
    }
}

#[test]
fn epochs_and_cycles_exclude_each_other_and_each_has_its_own_company() {
    let of =
        |path: &str, message: &str, hint: &str| (path.to_owned(), message.to_owned(), Some(hint.to_owned()));
    assert_eq!(
        problems(json!({"epochs": 3, "cycles": 2})),
        [of(
            "cycles",
            "found both `epochs` and `cycles`, expected one of them",
            "leave out `epochs` to restart the rate, or `cycles`"
        )]
    );
    assert_eq!(
        problems(json!({"epochs": 3, "cycle_len": 1, "cycle_mult": 2})),
        [
            of("cycle_len", "found `cycle_len` without `cycles`", "give `cycles` too"),
            of("cycle_mult", "found `cycle_mult` without `cycles`", "give `cycles` too"),
        ]
    );
    assert_eq!(
        problems(json!({"cycles": 3, "schedule": "cosine"})),
        [of(
            "schedule",
            "found `schedule` without `epochs`",
            "give `epochs` too; `cycles` have a schedule of their own"
        )]
    );
}

#[test]
fn cycles_have_at_most_10000_epochs_together() {
    let too_many = |given: Value, message: &str| {
        assert_eq!(problem(given), ("cycles".to_owned(), message.to_owned()));
    };
    // By hand: 1 + 2 + ... + 2^13 = 2^14 - 1.
    too_many(
        json!({"cycles": 14, "cycle_mult": 2}),
        "expected at most 10000 epochs in 14 cycles, found 16383",
    );
    too_many(
        json!({"cycles": 2, "cycle_len": 5001}),
        "expected at most 10000 epochs in 2 cycles, found 10002",
    );
    let huge = "expected at most 10000 epochs in 9999 cycles, found more than 4294967295";
    too_many(json!({"cycles": 9999, "cycle_mult": 9999}), huge);
    assert_eq!(problems(json!({"cycles": 13, "cycle_mult": 2})), []);
    assert_eq!(problems(json!({"cycles": 2, "cycle_len": 5000})), []);
}

#[test]
fn all_problems_are_reported_at_once() {
    let given = json!({"lr": [0, 1], "batch_size": 0, "epochs": 0, "cycles": 2, "momentum": -1, "ema": 2});
    let paths: Vec<String> = problems(given).into_iter().map(|(path, ..)| path).collect();
    assert_eq!(paths, ["lr", "lr.0", "epochs", "cycles", "batch_size", "momentum", "ema"]);
}

fn settled(given: Value, length: Length) -> Recipe {
    let mut recipe = recipe(given);
    recipe.settle(Rates::One(0.01), length);
    // Filling in again, and reading what was filled in, changes nothing; and it is valid.
    let mut again = recipe.clone();
    again.settle(Rates::One(9.0), Length::Cycles { cycles: 9, cycle_len: 9, cycle_mult: 9 });
    assert_eq!(again, recipe);
    assert_eq!(serde_json::from_value::<Recipe>(serde_json::to_value(&recipe).unwrap()).unwrap(), recipe);
    let mut problems = vec![];
    recipe.check(3, NAMES, &mut problems);
    assert_eq!(problems, []);
    recipe
}

const LESSON: Length = Length::Cycles { cycles: 3, cycle_len: 1, cycle_mult: 2 };

#[test]
fn what_the_user_left_out_is_filled_in() {
    let head = settled(json!({}), Length::Epochs(2));
    assert_eq!((head.epochs, head.cycles, head.schedule), (Some(2), None, Some(ScheduleKind::Constant)));
    assert_eq!((head.epochs(), head.schedule(360)), (2, Schedule::constant(720)));
    assert_eq!(head.rates(3), Some(vec![0.01; 3]));

    let fine = settled(json!({"lr": [1e-4, 1e-3, 1e-2], "warmup_steps": 9}), LESSON);
    assert_eq!((fine.epochs, fine.schedule, fine.epochs()), (None, None, 7));
    assert_eq!(fine.schedule(359), Schedule::cycles(3, 359, 2).with_warmup(9));
    assert_eq!(fine.rates(3), Some(vec![1e-4, 1e-3, 1e-2]));
}

#[test]
fn what_the_user_gave_stays() {
    let epochs = settled(json!({"epochs": 5, "schedule": "one_cycle"}), LESSON);
    assert_eq!(
        (epochs.epochs, epochs.cycles, epochs.cycle_len, epochs.cycle_mult),
        (Some(5), None, None, None)
    );
    assert_eq!(epochs.schedule(10), Schedule::one_cycle(50));
    let cosine = settled(json!({"epochs": 5, "schedule": "cosine"}), LESSON);
    assert_eq!(cosine.schedule(10), Schedule::cosine(50));

    // `cycles` of the user's own do not take the length and growth of the stage's.
    let cycles = settled(json!({"cycles": 3}), LESSON);
    assert_eq!((cycles.epochs, cycles.cycle_len, cycles.cycle_mult), (None, Some(1), Some(1)));
    assert_eq!((cycles.epochs(), cycles.schedule(10)), (3, Schedule::cycles(3, 10, 1)));
    // Its length or growth alone change the stage's cycles.
    assert_eq!(settled(json!({"cycle_mult": 1}), LESSON).epochs(), 3);
    assert_eq!(settled(json!({"cycle_len": 2}), LESSON).epochs(), 2 + 4 + 8);
    let cycles = settled(json!({"cycles": 2, "cycle_len": 3, "cycle_mult": 4}), Length::Epochs(2));
    assert_eq!((cycles.epochs(), cycles.schedule(10)), (15, Schedule::cycles(2, 30, 4)));
}

#[test]
fn the_finder_looks_at_what_a_step_depends_on_and_at_nothing_else() {
    let all =
        json!({"lr": 3.0, "cycles": 2, "warmup_steps": 9, "ema": 0.5, "keep": "best", "early_stopping": 3});
    assert_eq!(recipe(all).searched(), recipe(json!({})));
    let seen = json!({
        "batch_size": 8, "optimizer": "adamw", "momentum": 0.5, "weight_decay": 0.1, "clip": 1.0,
        "label_smoothing": 0.1, "class_weights": "balanced", "sampler": "balanced",
    });
    assert_eq!(recipe(seen.clone()).searched(), recipe(seen));
}

#[test]
fn found_rates_are_spread_as_in_the_lesson() {
    let found = settled(json!({"lr": {"find": "valley"}}), LESSON);
    assert_eq!(found.rates(3), None);
    assert_eq!(spread(0.01, 1), [0.01]);
    assert_eq!(spread(0.01, 2), [0.001, 0.01]);
    assert_eq!(spread(0.01, 3), [0.0001, 0.001, 0.01]);
    assert_eq!(spread(0.5, 4), [0.005, 0.005, 0.05, 0.5]);
}

#[test]
fn one_weight_decay_is_that_of_every_group() {
    assert_eq!(recipe(json!({"weight_decay": 0.5})).weight_decays(3), [0.5, 0.5, 0.5]);
    assert_eq!(recipe(json!({"weight_decay": [0.1, 0.2, 0.3]})).weight_decays(3), [0.1, 0.2, 0.3]);
}

/// A stage's parameters, as `head` and `finetune` have them.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Stage {
    #[serde(default)]
    freeze: bool,
    #[serde(flatten)]
    recipe: Recipe,
}

impl pipeline_stage::Parameters for Stage {
    fn check(&self, problems: &mut Vec<Problem>) {
        self.recipe.check(3, NAMES, problems);
    }
}

#[test]
fn a_stage_flattens_the_recipe_into_its_own_parameters() {
    use pipeline_stage::params::{parse, schema, to_value};
    let stage: Stage = parse(&json!({"freeze": true, "lr": [1, 2, 3], "epochs": 4})).unwrap();
    assert_eq!(
        (stage.freeze, stage.recipe.rates(3), stage.recipe.epochs()),
        (true, Some(vec![1.0, 2.0, 3.0]), 4)
    );
    let written = to_value(&stage);
    assert_eq!(to_value(&parse::<Stage>(&written).unwrap()), written);
    let unknown = parse::<Stage>(&json!({"learning_rate": 1})).unwrap_err();
    assert!(unknown[0].message.starts_with("unknown key `learning_rate`"), "{unknown:?}");
    // Every parameter is documented, and none is required.
    let schema = schema::<Stage>();
    let undocumented: Vec<&String> = schema["properties"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, about)| *name != "freeze" && !about["description"].is_string())
        .map(|(name, _)| name)
        .collect();
    assert!(undocumented.is_empty(), "{undocumented:?}");
    assert_eq!(schema["properties"].as_object().unwrap().len(), 20);
    assert!(schema["required"].is_null(), "{schema}");
}
