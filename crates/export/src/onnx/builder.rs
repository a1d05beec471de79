//! [`Builder`]: the nodes of a graph and the tensors that they read, as messages.

use pipeline_nn::Tensor;
use pipeline_nn::weights::Precision;

use crate::protobuf::Message;

/// `TensorProto.DataType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Float = 1,
    Uint8 = 2,
    Int64 = 7,
    Float16 = 10,
    Bfloat16 = 16,
}

/// A length of a shape.
#[derive(Debug, Clone, Copy)]
pub(super) enum Side {
    Fixed(i64),
    /// Any, by its name.
    Free(&'static str),
}

/// A `ValueInfoProto`.
pub(super) fn value_info(name: &str, element: Element, shape: &[Side]) -> Message {
    let side = |side: &Side| match side {
        Side::Fixed(length) => Message::new().integer(1, *length),
        Side::Free(name) => Message::new().text(2, *name),
    };
    let shape = Message::new().messages(1, shape.iter().map(side));
    let tensor = Message::new().integer(1, element as i64).message(2, shape);
    Message::new().text(1, name).message(2, Message::new().message(1, tensor))
}

/// A setting of a node.
#[derive(Debug, Clone, Copy)]
pub(super) enum Attribute<'a> {
    Integer(i64),
    Integers(&'a [i64]),
    Float(f64),
    Text(&'a str),
}

impl Attribute<'_> {
    /// An `AttributeProto`.
    fn message(self, name: &str) -> Message {
        let message = Message::new().text(1, name);
        match self {
            Attribute::Float(value) => message.float(2, value as f32).integer(20, 1),
            Attribute::Integer(value) => message.integer(3, value).integer(20, 2),
            Attribute::Text(text) => message.text(4, text).integer(20, 3),
            Attribute::Integers(values) => message.integers(8, values).integer(20, 7),
        }
    }
}

/// Nodes in order, and the tensors that they read.
pub(super) struct Builder {
    precision: Precision,
    nodes: Vec<Message>,
    initializers: Vec<Message>,
}

impl Builder {
    /// An empty graph whose weights are written in this precision.
    pub(super) fn new(precision: Precision) -> Self {
        Builder { precision, nodes: vec![], initializers: vec![] }
    }

    /// Adds the node that makes `output`, which is its name too.
    pub(super) fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[(&str, Attribute<'_>)],
    ) {
        let texts = |message, number: u32, texts: &[&str]| {
            texts.iter().fold(message, |message: Message, text| message.text(number, *text))
        };
        let node = texts(Message::new(), 1, inputs);
        let node = texts(node, 2, &[output]).text(3, output).text(4, operator);
        let attributes = attributes.iter().map(|(name, attribute)| attribute.message(name));
        self.nodes.push(node.messages(5, attributes));
    }

    /// Adds the weights `name`. Where they are stored in half precision, a node makes them float32 when the model is loaded: it
    /// computes in float32 in any case.
    pub(super) fn weights(&mut self, name: &str, tensor: Tensor) {
        let shape = tensor.size();
        let precision = self.precision.of(&shape);
        let element = match precision {
            Precision::F32 => Element::Float,
            Precision::F16 => Element::Float16,
            Precision::Bf16 => Element::Bfloat16,
        };
        let stored = if element == Element::Float { name.to_owned() } else { format!("{name}.half") };
        if element != Element::Float {
            let to = Attribute::Integer(Element::Float as i64);
            self.node("Cast", &[&stored], name, &[("to", to)]);
        }
        let message = tensor_proto(&stored, element, &shape);
        self.initializers.push(message.numbers(9, name, tensor, precision));
    }

    /// Adds float32 constants of this shape; none for a scalar.
    pub(super) fn floats(&mut self, name: &str, shape: &[i64], values: &[f32]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.initializers.push(tensor_proto(name, Element::Float, shape).bytes(9, bytes));
    }

    /// Adds a list of integers.
    pub(super) fn integers(&mut self, name: &str, values: &[i64]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let shape = [values.len() as i64];
        self.initializers.push(tensor_proto(name, Element::Int64, &shape).bytes(9, bytes));
    }

    /// Nodes and tensors.
    pub(super) fn into_parts(self) -> (Vec<Message>, Vec<Message>) {
        (self.nodes, self.initializers)
    }
}

/// A `TensorProto` without its numbers.
fn tensor_proto(name: &str, element: Element, shape: &[i64]) -> Message {
    Message::new().integers(1, shape).integer(2, element as i64).text(8, name)
}
