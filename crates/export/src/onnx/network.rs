//! From the steps of a network to nodes: `pixels` to `features`, `logits` and `probabilities`.

use pipeline_nn::graph::{Graph, Operation, Padding, Value};

use super::builder::{Attribute, Builder};

/// Adds the nodes.
pub(super) fn add(builder: &mut Builder, graph: Graph) {
    let Graph { steps, features, logits } = graph;
    if steps.iter().any(|step| matches!(step.operation, Operation::Relu6)) {
        builder.floats("zero", &[], &[0.0]);
        builder.floats("six", &[], &[6.0]);
    }
    let name = |value: Value| match value {
        Value::Photos => "pixels".to_owned(),
        value if value == features => "features".to_owned(),
        value if value == logits => "logits".to_owned(),
        Value::Step(index) => format!("step{index}"),
    };
    for (index, step) in steps.into_iter().enumerate() {
        let inputs: Vec<String> = step.inputs.iter().map(|input| name(*input)).collect();
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        add_step(builder, step.operation, &inputs, &name(Value::Step(index)));
    }
    builder.node("Softmax", &["logits"], "probabilities", &[("axis", Attribute::Integer(1))]);
}

fn add_step(builder: &mut Builder, operation: Operation, inputs: &[&str], output: &str) {
    let x = inputs.first().copied().unwrap_or_default();
    let part = |part: &str| format!("{output}.{part}");
    match operation {
        Operation::Convolution { weight, bias, stride, padding, groups } => {
            let kernel = weight.size().last().copied().unwrap_or(1);
            let half = [kernel / 2; 4];
            let borders = match padding {
                Padding::Half => ("pads", Attribute::Integers(&half)),
                // TensorFlow's SAME by its own rule, with the odd zero after.
                Padding::Same => ("auto_pad", Attribute::Text("SAME_UPPER")),
            };
            let attributes = [
                ("kernel_shape", Attribute::Integers(&[kernel; 2])),
                ("strides", Attribute::Integers(&[stride; 2])),
                ("group", Attribute::Integer(groups)),
                borders,
            ];
            let names = [part("weight"), part("bias")];
            builder.weights(&names[0], weight);
            let mut inputs = vec![x, &names[0]];
            if let Some(bias) = bias {
                builder.weights(&names[1], bias);
                inputs.push(&names[1]);
            }
            builder.node("Conv", &inputs, output, &attributes);
        }
        Operation::Relu => builder.node("Relu", inputs, output, &[]),
        Operation::Relu6 => builder.node("Clip", &[x, "zero", "six"], output, &[]),
        Operation::MaxPool => {
            let attributes = [
                ("kernel_shape", Attribute::Integers(&[3, 3])),
                ("strides", Attribute::Integers(&[2, 2])),
                ("pads", Attribute::Integers(&[1; 4])),
            ];
            builder.node("MaxPool", inputs, output, &attributes);
        }
        Operation::Add => builder.node("Add", inputs, output, &[]),
        Operation::GlobalMax => add_pool(builder, "GlobalMaxPool", x, output),
        Operation::GlobalAverage => add_pool(builder, "GlobalAveragePool", x, output),
        Operation::Concatenate => {
            builder.node("Concat", inputs, output, &[("axis", Attribute::Integer(1))]);
        }
        Operation::BatchNorm { weight, bias, mean, variance, eps } => {
            let names = ["weight", "bias", "mean", "variance"].map(part);
            for (name, tensor) in names.iter().zip([weight, bias, mean, variance]) {
                builder.weights(name, tensor);
            }
            let [weight, bias, mean, variance] = &names;
            let inputs = [x, weight, bias, mean, variance];
            builder.node("BatchNormalization", &inputs, output, &[("epsilon", Attribute::Float(eps))]);
        }
        Operation::Linear { weight, bias } => {
            let names = ["weight", "bias"].map(part);
            for (name, tensor) in names.iter().zip([weight, bias]) {
                builder.weights(name, tensor);
            }
            let inputs = [x, &names[0], &names[1]];
            builder.node("Gemm", &inputs, output, &[("transB", Attribute::Integer(1))]);
        }
    }
}

/// `[N, C, h, w]` to `[N, C]`.
fn add_pool(builder: &mut Builder, operator: &str, x: &str, output: &str) {
    let map = format!("{output}.map"); // [N, C, 1, 1]
    builder.node(operator, &[x], &map, &[]);
    builder.node("Flatten", &[&map], output, &[("axis", Attribute::Integer(1))]);
}
