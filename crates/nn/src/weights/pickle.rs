//! A reader for the part of Python's pickle language that state dictionaries are written in.
//!
//! A pickle is a program for a stack machine. This one can only build plain data: numbers, text, tuples,
//! lists, dictionaries and descriptions of tensors. The names that it may refer to are listed in [`Global`];
//! any other is an error that tells the name. Nothing is imported, called or executed.
//!
//! The machine itself is in `pickle_machine`.

use tch::Kind;

use super::pickle_machine::Machine;

/// The most bytes of a pickle. resnet101's has 100 kB.
pub(super) const MAX_BYTES: u64 = 16 << 20;
/// The most values that are built, the deepest stack, and the most words of 8 bytes that are copied from one
/// value into another: bounds memory at about 100 MB for any input.
pub(super) const MAX_VALUES: usize = 1 << 20;
/// The most dimensions of a tensor, PyTorch's own limit.
pub(super) const MAX_DIMENSIONS: usize = 64;
/// The longest key of a storage. PyTorch's are numbers.
pub(super) const MAX_KEY_BYTES: usize = 256;

/// Index of a value in [`Pickle::values`].
pub(super) type Ref = usize;

/// What a pickle holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    Bytes,
    Tuple(Vec<Ref>),
    List(Vec<Ref>),
    /// A `dict` or `OrderedDict`.
    Dict(Vec<(Ref, Ref)>),
    Global(Global),
    Storage(Storage),
    Tensor(TensorInfo),
}

/// The names that a pickle may refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    /// `collections.OrderedDict`
    OrderedDict,
    /// `torch._utils._rebuild_tensor_v2` and `_rebuild_tensor`
    RebuildTensor,
    /// `torch._utils._rebuild_parameter`
    RebuildParameter,
    /// `torch.FloatStorage` and the like
    Storage(Kind),
}

/// A stretch of numbers kept outside the pickle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Storage {
    pub(super) key: String,
    pub(super) kind: Kind,
    pub(super) numel: u64,
}

/// A view of a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TensorInfo {
    pub(super) storage: Storage,
    pub(super) offset: i64,
    pub(super) shape: Vec<i64>,
    pub(super) stride: Vec<i64>,
}

/// A pickle that has been read.
#[derive(Debug)]
pub(super) struct Pickle {
    pub(super) values: Vec<Value>,
    pub(super) root: Ref,
}

impl Pickle {
    /// The value that the pickle is of.
    pub(super) fn root(&self) -> &Value {
        &self.values[self.root]
    }

    /// The value at `index`, which came from this pickle.
    pub(super) fn get(&self, index: Ref) -> &Value {
        &self.values[index]
    }

    /// Every value that was built.
    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }
}

/// Why a pickle is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It asks for something that is not plain data: a Python name, or an operation.
    Forbidden(String),
    /// It does not hold together.
    Damaged(String),
}

/// Reads the pickle at the start of `bytes`; also returns how many bytes it has.
pub(super) fn load(bytes: &[u8]) -> Result<(Pickle, usize), Refused> {
    Machine::new(bytes).run()
}

impl Value {
    /// What it is, for messages.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Value::None => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "an integer",
            Value::Float(_) => "a number",
            Value::Text(_) => "text",
            Value::Bytes => "bytes",
            Value::Tuple(_) => "a tuple",
            Value::List(_) => "a list",
            Value::Dict(_) => "a dictionary",
            Value::Global(_) => "a type",
            Value::Storage(_) => "a storage",
            Value::Tensor(_) => "a tensor",
        }
    }
}

/// The kind of number in PyTorch's storage type of this name.
pub(super) fn storage_kind(name: &str) -> Option<Kind> {
    Some(match name {
        "FloatStorage" => Kind::Float,
        "DoubleStorage" => Kind::Double,
        "HalfStorage" => Kind::Half,
        "BFloat16Storage" => Kind::BFloat16,
        "LongStorage" => Kind::Int64,
        "IntStorage" => Kind::Int,
        "ShortStorage" => Kind::Int16,
        "CharStorage" => Kind::Int8,
        "ByteStorage" => Kind::Uint8,
        "BoolStorage" => Kind::Bool,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> Refused {
        load(bytes).unwrap_err()
    }

    fn damage(problem: &str) -> Refused {
        Refused::Damaged(problem.to_owned())
    }

    #[test]
    fn plain_data_is_read_in_both_protocols() {
        // `pickle.dumps({"a": [1, -2, 2.5, True, None], "b": (300, 1 << 70)}, protocol)` of Python 3.11.
        let two: &[u8] = b"\x80\x02}q\x00(X\x01\0\0\0aq\x01]q\x02(K\x01J\xfe\xff\xff\xffG@\x04\0\0\0\0\0\0\x88NeX\x01\0\0\0bq\x03M,\x01\x8a\x09\0\0\0\0\0\0\0\0@\x86q\x04u.";
        let four: &[u8] = b"\x80\x04\x95/\0\0\0\0\0\0\0}\x94(\x8c\x01a\x94]\x94(K\x01J\xfe\xff\xff\xffG@\x04\0\0\0\0\0\0\x88Ne\x8c\x01b\x94M,\x01\x8a\x09\0\0\0\0\0\0\0\0@\x86\x94u.";
        for bytes in [two, four] {
            let (pickle, used) = load(bytes).unwrap();
            assert_eq!(used, bytes.len());
            let Value::Dict(entries) = pickle.root() else { panic!("{:?}", pickle.root()) };
            let keys: Vec<_> = entries.iter().map(|(key, _)| pickle.get(*key).clone()).collect();
            assert_eq!(keys, [Value::Text("a".into()), Value::Text("b".into())]);
            let items = |index: usize| match pickle.get(entries[index].1) {
                Value::List(items) | Value::Tuple(items) => {
                    items.iter().map(|i| pickle.get(*i).clone()).collect::<Vec<_>>()
                }
                other => panic!("{other:?}"),
            };
            let a = [Value::Int(1), Value::Int(-2), Value::Float(2.5), Value::Bool(true), Value::None];
            assert_eq!(items(0), a);
            assert_eq!(items(1), [Value::Int(300), Value::Int(1 << 70)]);
        }
    }

    #[test]
    fn only_the_pickle_is_consumed_of_what_follows() {
        let (_, used) = load(b"\x80\x02N.rest").unwrap();
        assert_eq!(used, 4);
    }

    #[test]
    fn a_length_beyond_the_end_is_refused_before_anything_is_allocated() {
        assert_eq!(
            refused(b"\x80\x02X\xff\xff\xff\xffab."),
            damage("its pickle is cut short: 4294967295 bytes wanted at 7 of 10")
        );
        assert!(matches!(refused(b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffab."), Refused::Damaged(_)));
        assert_eq!(
            refused(b"\x8b\0\0\0\x10ab."),
            damage("its pickle has an integer of 268435456 bytes, at most 16 are read")
        );
    }

    #[test]
    fn stack_and_memo_are_checked() {
        let empty = damage("its pickle takes a value from an empty stack");
        assert_eq!(refused(b"."), empty);
        assert_eq!(refused(b"N\x86."), empty);
        // A mark is a floor: what lies below it is not the collection's.
        assert_eq!(refused(b"N(0."), empty);
        assert_eq!(refused(b"Nt."), damage("its pickle ends a collection that it did not begin"));
        assert_eq!(refused(b"h\x05."), damage("its pickle refers to value 5, which is not there"));
        assert_eq!(refused(b"NNa."), damage("its pickle appends to nothing"));
        assert_eq!(refused(b"NNNs."), damage("its pickle sets an item of nothing"));
    }

    /// `mark`, then `open`, then `step` many times.
    fn repeated(open: &[u8], step: &[u8], times: usize) -> Vec<u8> {
        [b"\x80\x02", open, &step.repeat(times)].concat()
    }

    #[test]
    fn what_is_copied_again_and_again_is_bounded() {
        let text = format!("its pickle holds more than {MAX_VALUES} values");
        // A list of many references to one pair, of which dictionary after dictionary is made.
        let mut open = b"ccollections\nOrderedDict\nq\x00NN\x86q\x01](".to_vec();
        open.extend(b"h\x01".repeat(100_000));
        open.extend(b"e\x85q\x02");
        assert_eq!(refused(&repeated(&open, b"h\x00h\x02R0", 20)), damage(&text));

        // Tensor after tensor of 64 dimensions.
        let storage = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x04tQ";
        let shape = [b"(".as_slice(), &b"K\x01".repeat(64), b"t"].concat();
        let tensor = [
            b"ctorch._utils\n_rebuild_tensor_v2\nq\x00(",
            storage.as_slice(),
            b"K\0",
            &shape,
            &shape,
            b"tq\x01",
        ];
        assert_eq!(refused(&repeated(&tensor.concat(), b"h\x00h\x01R0", 20_000)), damage(&text));
        let shape = [b"(".as_slice(), &b"K\x01".repeat(65), b"t"].concat();
        let tensor =
            [b"ctorch._utils\n_rebuild_tensor_v2\n(", storage.as_slice(), b"K\0", &shape, &shape, b"tR."];
        assert_eq!(
            refused(&tensor.concat()),
            damage("its pickle has a tensor of 65 dimensions, at most 64 are read")
        );

        // A long key of a storage.
        let mut long = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\x01\0\0".to_vec();
        long.extend([b'0'; 257]);
        long.extend(b"X\x03\0\0\0cpuK\x04tQ.");
        assert_eq!(
            refused(&long),
            damage("its pickle has a storage whose key has 257 bytes, at most 256 are read")
        );
    }

    #[test]
    fn the_number_of_values_and_the_depth_of_the_stack_are_bounded() {
        let text = format!("its pickle holds more than {MAX_VALUES} values");
        for repeated in [&b"N"[..], b"(", b"Nh\x00"] {
            let mut bytes = b"Nq\x00".to_vec();
            bytes.extend(repeated.repeat(MAX_VALUES + 1));
            assert_eq!(refused(&bytes), damage(&text), "{}", repeated.escape_ascii());
        }
    }
}
