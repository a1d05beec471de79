#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::path::Path;

use pipeline_report::tensorboard::{EventWriter, FILE_NAME};

/// What TensorBoard 2.21's own writer makes of the same values; it reads it back with `EventFileLoader`:
///
/// ```python
/// import io
/// from tensorboard.compat.proto.event_pb2 import Event
/// from tensorboard.compat.proto.summary_pb2 import Summary
/// from tensorboard.summary.writer.record_writer import RecordWriter
///
/// def value(tag, x):
///     return Summary(value=[Summary.Value(tag=tag, simple_value=x)])
///
/// file = io.BytesIO()
/// writer = RecordWriter(file)
/// for event in [
///     Event(wall_time=1000.5, file_version="brain.Event:2"),
///     Event(wall_time=1001.0, step=7, summary=value("loss/train", 0.75)),
///     Event(wall_time=1002.25, step=300, summary=value("lr/été", -1.25e-3)),
/// ]:
///     writer.write(event.SerializeToString())
///     print(file.getvalue()[start:].hex()); start = file.tell()
/// ```
const RECORDS: [&str; 3] = [
    "1800000000000000a37f4b22090000000000448f401a0d627261696e2e4576656e743a32aba33345",
    "200000000000000029eda950090000000000488f4010072a130a110a0a6c6f73732f747261696e150000403fc335ddd5",
    "1f00000000000000514b4418090000000000528f4010ac022a110a0f0a086c722fc3a974c3a9150ad7a3babecc2c4e",
];

/// The file's bytes as hexadecimal digits.
fn written(folder: &Path) -> String {
    let bytes = fs_err::read(folder.join(FILE_NAME)).unwrap();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write(folder: &Path) {
    let mut writer = EventWriter::create(folder, 1000.5).unwrap();
    writer.scalar("loss/train", 7, 1001.0, 0.75).unwrap();
    writer.scalar("lr/été", 300, 1002.25, -1.25e-3).unwrap();
    writer.finish().unwrap();
}

#[test]
fn the_bytes_are_those_of_tensorboards_own_writer() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    assert_eq!(written(dir.path()), RECORDS.concat());
}

#[test]
fn an_old_file_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    EventWriter::create(dir.path(), 1000.5).unwrap();
    assert_eq!(written(dir.path()), RECORDS[0]);
}

#[test]
fn a_folder_that_is_missing_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("no");
    let error = EventWriter::create(&missing, 0.0).unwrap_err();
    assert!(error.to_string().contains("no/events.out.tfevents"), "{error}");
}
