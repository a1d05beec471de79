//! The stack machine that pickles are programs for. What it may build is in [`pickle`](super::pickle).
//!
//! Opcodes: Python's `Lib/pickletools.py`. PyTorch writes protocol 2; those that protocol 4 adds are read too.

use std::collections::HashMap;

use super::pickle::{
    Global, MAX_DIMENSIONS, MAX_KEY_BYTES, MAX_VALUES, Pickle, Ref, Refused, Storage, TensorInfo, Value,
    storage_kind,
};

fn damaged<T>(problem: impl Into<String>) -> Result<T, Refused> {
    Err(Refused::Damaged(problem.into()))
}

/// The machine at some point of a pickle.
pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Vec<Value>,
    stack: Vec<Ref>,
    /// Heights of the stack at which a tuple, list or dictionary was begun.
    marks: Vec<usize>,
    memo: HashMap<u64, Ref>,
    /// Words of 8 bytes that were copied from one value into another.
    copied: usize,
}

impl<'a> Machine<'a> {
    /// At the start of the pickle that `bytes` start with.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let (values, stack, marks, memo) = (Vec::new(), Vec::new(), Vec::new(), HashMap::new());
        Machine { bytes, at: 0, values, stack, marks, memo, copied: 0 }
    }

    /// Runs to the end of the pickle; also returns how many bytes it has.
    pub(super) fn run(mut self) -> Result<(Pickle, usize), Refused> {
        while self.step()? {}
        let root = self.pop()?;
        Ok((Pickle { values: self.values, root }, self.at))
    }

    /// Runs one operation; false at the end of the pickle.
    fn step(&mut self) -> Result<bool, Refused> {
        let opcode = self.byte()?;
        match opcode {
            // PROTO, FRAME: nothing to do.
            0x80 => drop(self.byte()?),
            0x95 => drop(self.take(8)?),
            b'.' => return Ok(false),

            b'N' => self.push(Value::None)?,
            0x88 => self.push(Value::Bool(true))?,
            0x89 => self.push(Value::Bool(false))?,
            b'K' => self.integer(1)?,
            b'M' => self.integer(2)?,
            b'J' => {
                let value = i32::from_le_bytes(self.array()?);
                self.push(Value::Int(value.into()))?;
            }
            0x8a => {
                let length = self.byte()?.into();
                self.long(length)?;
            }
            0x8b => {
                let length = self.length(4)?;
                self.long(length)?;
            }
            b'G' => {
                let value = f64::from_be_bytes(self.array()?);
                self.push(Value::Float(value))?;
            }

            // Text with a length of 1, 4 or 8 bytes; byte strings of protocol 2 are text there.
            0x8c | b'U' => self.text(1)?,
            b'X' | b'T' => self.text(4)?,
            0x8d => self.text(8)?,
            b'C' => self.raw(1)?,
            b'B' => self.raw(4)?,

            b'(' => {
                self.room(self.marks.len())?;
                self.marks.push(self.stack.len());
            }
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),
            b'2' => {
                let top = self.top()?;
                self.push_ref(top)?;
            }

            b')' => self.push(Value::Tuple(Vec::new()))?,
            0x85 => self.tuple(1)?,
            0x86 => self.tuple(2)?,
            0x87 => self.tuple(3)?,
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items))?;
            }

            b']' => self.push(Value::List(Vec::new()))?,
            b'l' => {
                let items = self.pop_to_mark()?;
                self.push(Value::List(items))?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.append(items)?;
            }

            b'}' => self.push(Value::Dict(Vec::new()))?,
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Dict(Vec::new()))?;
                self.set_items(&items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items(&[key, value])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set_items(&items)?;
            }

            b'q' => {
                let key = self.byte()?.into();
                self.memoize(key)?;
            }
            b'r' => {
                let key = u32::from_le_bytes(self.array()?).into();
                self.memoize(key)?;
            }
            0x94 => self.memoize(self.memo.len() as u64)?,
            b'h' => {
                let key = self.byte()?.into();
                self.recall(key)?;
            }
            b'j' => {
                let key = u32::from_le_bytes(self.array()?).into();
                self.recall(key)?;
            }

            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(&module, &name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (&self.values[module], &self.values[name])
                else {
                    return damaged("its pickle names something with a value that is not text");
                };
                let (module, name) = (module.clone(), name.clone());
                self.global(&module, &name)?;
            }
            b'R' => self.reduce()?,
            b'b' => self.build()?,
            b'Q' => self.persistent()?,

            // INST, OBJ, NEWOBJ, NEWOBJ_EX and the extension registry make objects of classes.
            b'i' | b'o' | 0x81 | 0x92 | 0x82..=0x84 => {
                return Err(Refused::Forbidden(format!("opcode 0x{opcode:02x}, an object of a class")));
            }
            _ => {
                return damaged(format!(
                    "its pickle has an opcode 0x{opcode:02x} that state dictionaries do not use"
                ));
            }
        }
        Ok(true)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Refused> {
        match self.at.checked_add(count).and_then(|end| self.bytes.get(self.at..end)) {
            Some(bytes) => {
                self.at += count;
                Ok(bytes)
            }
            None => damaged(format!(
                "its pickle is cut short: {count} bytes wanted at {} of {}",
                self.at,
                self.bytes.len()
            )),
        }
    }

    fn byte(&mut self) -> Result<u8, Refused> {
        Ok(self.take(1)?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Refused> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// An unsigned number of `width` bytes, at most 8.
    fn length(&mut self, width: usize) -> Result<usize, Refused> {
        let mut bytes = [0; 8];
        bytes[..width].copy_from_slice(self.take(width)?);
        // A length that does not fit is longer than any file.
        Ok(usize::try_from(u64::from_le_bytes(bytes)).unwrap_or(usize::MAX))
    }

    /// Text up to the end of the line.
    fn line(&mut self) -> Result<String, Refused> {
        let rest = &self.bytes[self.at..];
        let Some(length) = rest.iter().position(|b| *b == b'\n') else {
            return damaged("its pickle is cut short inside a name");
        };
        self.at += length + 1;
        Ok(String::from_utf8_lossy(&rest[..length]).into_owned())
    }

    fn room(&self, used: usize) -> Result<(), Refused> {
        if used < MAX_VALUES {
            Ok(())
        } else {
            damaged(format!("its pickle holds more than {MAX_VALUES} values"))
        }
    }

    /// Pushes a value that was copied from others. A short program can ask for it again and again.
    fn push_copy(&mut self, value: Value) -> Result<(), Refused> {
        let key_words = |storage: &Storage| storage.key.len() / 8 + 1;
        self.copied += match &value {
            Value::Dict(entries) => 2 * entries.len(),
            Value::Storage(storage) => key_words(storage),
            Value::Tensor(tensor) => key_words(&tensor.storage) + 2 * tensor.shape.len(),
            _ => 1,
        };
        self.room(self.copied)?;
        self.push(value)
    }

    fn push(&mut self, value: Value) -> Result<(), Refused> {
        self.room(self.values.len())?;
        self.values.push(value);
        self.push_ref(self.values.len() - 1)
    }

    fn push_ref(&mut self, index: Ref) -> Result<(), Refused> {
        self.room(self.stack.len())?;
        self.stack.push(index);
        Ok(())
    }

    fn top(&self) -> Result<Ref, Refused> {
        match self.stack.last() {
            Some(top) if self.stack.len() > self.floor() => Ok(*top),
            _ => damaged("its pickle takes a value from an empty stack"),
        }
    }

    fn pop(&mut self) -> Result<Ref, Refused> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    /// Height below which the open tuple, list or dictionary may not reach.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Ref>, Refused> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => damaged("its pickle ends a collection that it did not begin"),
        }
    }

    fn integer(&mut self, width: usize) -> Result<(), Refused> {
        let value = self.length(width)?;
        self.push(Value::Int(value as i128))
    }

    /// A signed number of `length` bytes.
    fn long(&mut self, length: usize) -> Result<(), Refused> {
        if length > 16 {
            return damaged(format!("its pickle has an integer of {length} bytes, at most 16 are read"));
        }
        let bytes = self.take(length)?;
        let negative = bytes.last().is_some_and(|b| *b >= 0x80);
        let mut full = [if negative { 0xff } else { 0 }; 16];
        full[..length].copy_from_slice(bytes);
        self.push(Value::Int(i128::from_le_bytes(full)))
    }

    fn text(&mut self, width: usize) -> Result<(), Refused> {
        let length = self.length(width)?;
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.push(Value::Text(text))
    }

    fn raw(&mut self, width: usize) -> Result<(), Refused> {
        let length = self.length(width)?;
        self.take(length)?;
        self.push(Value::Bytes)
    }

    fn tuple(&mut self, count: usize) -> Result<(), Refused> {
        match self.stack.len().checked_sub(count) {
            Some(start) if start >= self.floor() => {
                let items = self.stack.split_off(start);
                self.push(Value::Tuple(items))
            }
            _ => damaged("its pickle takes a value from an empty stack"),
        }
    }

    fn append(&mut self, items: Vec<Ref>) -> Result<(), Refused> {
        let list = self.top()?;
        match &mut self.values[list] {
            Value::List(list) => list.extend(items),
            other => return damaged(format!("its pickle appends to {}", other.describe())),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Ref]) -> Result<(), Refused> {
        let dict = self.top()?;
        match &mut self.values[dict] {
            Value::Dict(dict) if items.len().is_multiple_of(2) => {
                dict.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
            }
            other => return damaged(format!("its pickle sets an item of {}", other.describe())),
        }
        Ok(())
    }

    fn memoize(&mut self, key: u64) -> Result<(), Refused> {
        self.room(self.memo.len())?;
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u64) -> Result<(), Refused> {
        match self.memo.get(&key) {
            Some(index) => self.push_ref(*index),
            None => damaged(format!("its pickle refers to value {key}, which is not there")),
        }
    }

    fn global(&mut self, module: &str, name: &str) -> Result<(), Refused> {
        let global = match (module, name) {
            ("collections", "OrderedDict") => Global::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => Global::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Global::RebuildParameter,
            ("torch", storage) => match storage_kind(storage) {
                Some(kind) => Global::Storage(kind),
                None => return Err(Refused::Forbidden(format!("{module}.{name}"))),
            },
            _ => return Err(Refused::Forbidden(format!("{module}.{name}"))),
        };
        self.push(Value::Global(global))
    }

    /// Applies a name to its arguments: only the few that make plain data.
    fn reduce(&mut self) -> Result<(), Refused> {
        let (args, function) = (self.pop()?, self.pop()?);
        let Value::Tuple(args) = &self.values[args] else {
            return damaged("its pickle calls something with arguments that are not a tuple");
        };
        let made = match &self.values[function] {
            Value::Global(Global::OrderedDict) => Value::Dict(self.pairs(args)?),
            Value::Global(Global::RebuildTensor) => Value::Tensor(self.tensor(args)?),
            Value::Global(Global::RebuildParameter) => match args.first().map(|a| &self.values[*a]) {
                Some(Value::Tensor(tensor)) => Value::Tensor(tensor.clone()),
                _ => return damaged("its pickle has a parameter without a tensor"),
            },
            other => return Err(Refused::Forbidden(format!("a call of {}", other.describe()))),
        };
        self.push_copy(made)
    }

    /// The entries of an `OrderedDict` written by Python 2: one list of pairs. Python 3 gives no arguments.
    fn pairs(&self, args: &[Ref]) -> Result<Vec<(Ref, Ref)>, Refused> {
        let items = match args {
            [] => return Ok(Vec::new()),
            [list] => match &self.values[*list] {
                Value::List(items) => items,
                other => return damaged(format!("its pickle makes a dictionary of {}", other.describe())),
            },
            _ => return damaged("its pickle makes a dictionary of several values"),
        };
        let pair = |item: &Ref| match &self.values[*item] {
            Value::List(pair) | Value::Tuple(pair) if pair.len() == 2 => Ok((pair[0], pair[1])),
            other => damaged(format!("its pickle makes a dictionary entry of {}", other.describe())),
        };
        items.iter().map(pair).collect()
    }

    /// `(storage, offset, shape, stride, ...)`; what follows is about gradients.
    fn tensor(&self, args: &[Ref]) -> Result<TensorInfo, Refused> {
        let [storage, offset, shape, stride, ..] = args else {
            return damaged(format!("its pickle has a tensor of {} parts, expected 4 or more", args.len()));
        };
        let Value::Storage(storage) = &self.values[*storage] else {
            return damaged("its pickle has a tensor without a storage");
        };
        let numbers = |index: &Ref| match &self.values[*index] {
            Value::Tuple(items) | Value::List(items) if items.len() > MAX_DIMENSIONS => damaged(format!(
                "its pickle has a tensor of {} dimensions, at most {MAX_DIMENSIONS} are read",
                items.len()
            )),
            Value::Tuple(items) | Value::List(items) => items.iter().map(|i| self.size(*i)).collect(),
            other => damaged(format!("its pickle has a tensor whose shape is {}", other.describe())),
        };
        let (shape, stride): (Vec<i64>, Vec<i64>) = (numbers(shape)?, numbers(stride)?);
        if shape.len() != stride.len() {
            return damaged(format!("its pickle has a tensor of shape {shape:?} with strides {stride:?}"));
        }
        Ok(TensorInfo { storage: storage.clone(), offset: self.size(*offset)?, shape, stride })
    }

    /// An integer of 0 or more.
    fn size(&self, index: Ref) -> Result<i64, Refused> {
        match &self.values[index] {
            Value::Int(value) if *value >= 0 => {
                i64::try_from(*value).or_else(|_| damaged(format!("its pickle has a size of {value}")))
            }
            Value::Int(value) => damaged(format!("its pickle has a size of {value}")),
            other => damaged(format!("its pickle has a size that is {}", other.describe())),
        }
    }

    /// Sets the state of an object. State dictionaries have one, which counts versions of their layers.
    fn build(&mut self) -> Result<(), Refused> {
        let state = self.pop()?;
        match (&self.values[self.top()?], &self.values[state]) {
            (Value::Dict(_), Value::Dict(_) | Value::None) => Ok(()),
            (object, _) => Err(Refused::Forbidden(format!("a state set on {}", object.describe()))),
        }
    }

    /// `("storage", type, key, device, numel)`; older files add a view, which is `None`.
    fn persistent(&mut self) -> Result<(), Refused> {
        let id = self.pop()?;
        let Value::Tuple(parts) = &self.values[id] else {
            return damaged("its pickle refers to a storage in an unknown way");
        };
        let parts: Vec<&Value> = parts.iter().map(|p| &self.values[*p]).collect();
        let storage = match parts[..] {
            [
                Value::Text(tag),
                Value::Global(Global::Storage(kind)),
                Value::Text(key),
                Value::Text(_),
                Value::Int(numel),
            ]
            | [
                Value::Text(tag),
                Value::Global(Global::Storage(kind)),
                Value::Text(key),
                Value::Text(_),
                Value::Int(numel),
                Value::None,
            ] if tag == "storage" => {
                if key.len() > MAX_KEY_BYTES {
                    return damaged(format!(
                        "its pickle has a storage whose key has {} bytes, at most {MAX_KEY_BYTES} are read",
                        key.len()
                    ));
                }
                let Ok(numel) = u64::try_from(*numel) else {
                    return damaged(format!("its storage `{key}` has {numel} numbers"));
                };
                Storage { key: key.clone(), kind: *kind, numel }
            }
            _ => return damaged("its pickle refers to a storage in an unknown way"),
        };
        self.push_copy(Value::Storage(storage))
    }
}
