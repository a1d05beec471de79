//! A stage kind for unit tests that only need its declaration, and manifests of artifacts that nobody made.

use pipeline_stage::manifest::{FileEntry, MANIFEST_FORMAT, Made};
use pipeline_stage::{AnyStage, Context, Failure, Input, KeyParts, Manifest, Problem, Source, Summary};
use serde_json::{Value, json};

use crate::graph::{Graph, Node};

/// A kind with these inputs, that never runs.
pub(crate) struct Toy {
    kind: &'static str,
    produces: &'static str,
    inputs: &'static [Input],
}

const INPUT: Input =
    Input { name: "", accepts: "", reads: &["text"], many: false, optional: false, doc: "For tests." };

/// Photos out of nothing.
pub(crate) static PHOTOS: Toy = Toy { kind: "photos", produces: "images", inputs: &[] };
/// Features of photos.
pub(crate) static FEATURES: Toy = Toy {
    kind: "features",
    produces: "features",
    inputs: &[Input { name: "images", accepts: "images", ..INPUT }],
};
/// Features of features, and of more of them.
pub(crate) static MIX: Toy = Toy {
    kind: "mix",
    produces: "features",
    inputs: &[
        Input { name: "first", accepts: "features", ..INPUT },
        Input { name: "more", accepts: "features", many: true, optional: true, ..INPUT },
    ],
};

/// A stage without parameters.
pub(crate) fn node(name: &str, stage: &'static Toy, inputs: &[(&str, &[&str])]) -> Node {
    let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
    Node {
        name: name.to_owned(),
        stage,
        params: json!({}),
        inputs: inputs.iter().map(|(input, names)| ((*input).to_owned(), owned(names))).collect(),
    }
}

/// `a` and `b` (features of the photos `p`), and `m`, which mixes them; `z` stands alone.
pub(crate) fn diamond() -> Graph {
    let mut nodes = vec![
        node("m", &MIX, &[("first", &["a"]), ("more", &["b", "a"])]),
        node("b", &FEATURES, &[("images", &["p"])]),
        node("a", &FEATURES, &[("images", &["p"])]),
        node("z", &PHOTOS, &[]),
        node("p", &PHOTOS, &[]),
    ];
    // So that no two stages have one key.
    nodes[1].params = json!({"n": 1});
    nodes[3].params = json!({"n": 3});
    Graph::new(nodes).unwrap()
}

impl AnyStage for Toy {
    fn kind(&self) -> &'static str {
        self.kind
    }
    fn version(&self) -> u32 {
        1
    }
    fn summary(&self) -> &'static str {
        "For tests."
    }
    fn produces(&self) -> &'static str {
        self.produces
    }
    fn inputs(&self) -> &'static [Input] {
        self.inputs
    }
    fn uses_seed(&self) -> bool {
        false
    }
    fn locators(&self) -> &'static [&'static str] {
        &["path"]
    }
    fn records(&self) -> &'static [&'static str] {
        &[]
    }
    fn schema(&self) -> Value {
        json!({ "properties": { "path": { "description": "Where the photos are." } }, "required": ["path"] })
    }
    fn resolve(&self, given: &Value) -> Result<Value, Vec<Problem>> {
        Ok(given.clone())
    }
    fn sources(&self, _: &Value) -> Result<Vec<Source>, Vec<Problem>> {
        Ok(vec![])
    }
    fn run(&self, _: &Value, _: &Context<'_>) -> Result<Summary, Failure> {
        Err(Failure::new("a toy does not run", None))
    }
}

/// The manifest of an artifact of these parts and files.
pub(crate) fn manifest(parts: KeyParts, files: Vec<FileEntry>) -> Manifest {
    let made = Made {
        unix_seconds: 0,
        wall_seconds: 0.0,
        host: String::new(),
        seed: 0,
        threads: 1,
        device: String::new(),
        pipeline_version: String::new(),
    };
    Manifest { format: MANIFEST_FORMAT, key: parts.key(), parts, files, summary: Summary::default(), made }
}
