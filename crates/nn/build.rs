//! Tells the linker where libtorch is found at run time, for this crate's tests, and passes the folder on; on
//! Linux also makes what `src/libtorch` needs to load libtorch late.
//!
//! A package's link arguments do not reach the packages that depend on it. Each package with a binary or
//! tests that link this crate therefore needs a build script that emits the same argument from
//! `DEP_PIPELINE_NN_LIBTORCH_LIB`.
//!
//! For the late loading, `OUT_DIR` is given
//!
//! - `libtch.so`: tch's C++ bindings, which torch-sys has compiled into `libtch.a`, as a shared library that needs
//!   libtorch. It has a table of the addresses of its functions.
//! - `imports.s`: a function of each of these names that jumps to the address in that table.
//!
//! The other way round it is the same: the bindings call a few functions of torch-sys, [`CALLBACKS`].
//! Where any of it fails, a warning says so, and libtorch is linked as torch-sys says: it works, and starts later.

use std::env;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use fs_err as fs;

/// What the bindings call of torch-sys (its `io.rs`). If there were more, `libtch.so` would not link.
const CALLBACKS: [&str; 7] = [
    "tch_read_stream_destructor",
    "tch_read_stream_read",
    "tch_read_stream_seek_end",
    "tch_read_stream_seek_start",
    "tch_read_stream_stream_position",
    "tch_write_stream_destructor",
    "tch_write_stream_write",
];

/// The word of `libtch.so` that is given the address of `pipeline_nn_callbacks`.
const LINK: &str = "pipeline_nn_link";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    println!("cargo::rustc-check-cfg=cfg(late_libtorch)");
    // Absent where torch-sys was told to build its documentation only.
    let Some(libtorch) = env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from) else { return };
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", libtorch.display());
    println!("cargo::metadata=libtorch_lib={}", libtorch.display());
    println!("cargo::rustc-env=LIBTORCH_LIB={}", libtorch.display());

    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ARCH", "x86_64") {
        match make(&libtorch) {
            Ok(()) => println!("cargo::rustc-cfg=late_libtorch"),
            Err(why) => {
                println!("cargo::warning=libtorch is loaded at every start, which takes 0.3 s: {why}")
            }
        }
    }
}

/// Writes `imports.s` and `libtch.so` into `OUT_DIR`.
fn make(libtorch: &Path) -> Result<(), String> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let archive = find_archive(&out, libtorch)?;
    println!("cargo::rerun-if-changed={}", archive.display());
    let io = |error: std::io::Error| error.to_string();
    let functions = functions(&fs::read(&archive).map_err(io)?)?;
    fs::write(out.join("imports.s"), imports(&functions)).map_err(io)?;
    let exports_file = out.join("exports.s");
    fs::write(&exports_file, exports(&functions)).map_err(io)?;

    let mut compiler = cc::Build::new().cpp(true).pic(true).cargo_metadata(false).get_compiler().to_command();
    compiler
        .args(["-shared", "-s", "-o"])
        .arg(out.join("libtch.so"))
        .arg(&exports_file)
        .arg("-Wl,--whole-archive")
        .arg(&archive)
        .arg("-Wl,--no-whole-archive")
        .arg("-L")
        .arg(libtorch)
        .args(["-ltorch_cpu", "-lc10"])
        .arg(format!("-Wl,-rpath,{}", libtorch.display()))
        // Unknown names are errors now, and its functions are its own, whatever the program exports.
        .args(["-Wl,-z,defs", "-Wl,-Bsymbolic-functions"]);
    let linked = compiler.output().map_err(|error| format!("the C++ compiler does not start: {error}"))?;
    let said = String::from_utf8_lossy(&linked.stderr);
    match linked.status.success() {
        true => Ok(()),
        false => {
            Err(format!("libtch.so does not link: {}", said.lines().next().unwrap_or("no reason given")))
        }
    }
}

/// torch-sys's `libtch.a`. Of what it knows torch-sys hands on the folder of libtorch (`DEP_TCH_LIBTORCH_LIB`) and nothing else,
/// so neither it nor cargo says which folder of torch-sys's own belongs to this build. There may be several beside ours (of
/// other versions, features or compilers); taken is the newest that was made for this libtorch, which is the one of this build
/// unless someone went back to an older torch-sys in one target folder: then `cargo clean -p torch-sys` first.
fn find_archive(out: &Path, libtorch: &Path) -> Result<PathBuf, String> {
    let build = out.ancestors().nth(2).ok_or("OUT_DIR has no parents")?;
    let made_for = format!("cargo:libtorch_lib={}", libtorch.display());
    let newest = fs::read_dir(build)
        .map_err(|error| error.to_string())?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|dir| dir.file_name().is_some_and(|name| name.to_string_lossy().starts_with("torch-sys-")))
        .filter(|dir| {
            fs::read_to_string(dir.join("output")).is_ok_and(|text| text.lines().any(|l| l == made_for))
        })
        .filter_map(|dir| {
            let archive = dir.join("out/libtch.a");
            let age: SystemTime = archive.metadata().ok()?.modified().ok()?;
            Some((age, archive))
        })
        .max();
    let (_, archive) =
        newest.ok_or_else(|| format!("no torch-sys-*/out/libtch.a in `{}`", build.display()))?;
    Ok(archive)
}

/// The names of the C functions of the bindings, in order of the alphabet, from the index of the archive.
///
/// An archive is `!<arch>\n` and members, each with a header of 60 bytes that holds its size as decimal text in
/// bytes 48 to 58. The first member, called `/`, is the index: a count n, n offsets, then n names that end with a
/// zero; the numbers big-endian, of 4 bytes (System V).
fn functions(archive: &[u8]) -> Result<Vec<String>, String> {
    let index = || {
        let header = archive.strip_prefix(b"!<arch>\n")?.get(..60)?;
        let size: usize = str::from_utf8(&header[48..58]).ok()?.trim_end().parse().ok()?;
        let index = header.starts_with(b"/ ").then(|| archive.get(68..68 + size))??;
        let count = u32::from_be_bytes(index.get(..4)?.try_into().ok()?);
        index.get(4 + 4 * count as usize..)
    };
    let names = index().ok_or("libtch.a has no index of the usual form")?;
    // The rest are C++ (`_Z...`), a picture library that the bindings use themselves, and variables.
    let is_binding = |name: &str| name.starts_with("at") || name == "get_and_reset_last_err";
    let mut names: Vec<String> = names
        .split(|byte| *byte == 0)
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .filter(|name| is_binding(name))
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// The program's side: the functions, each with its number on the way to `pipeline_nn_import`, and the callbacks'
/// addresses. Intel's syntax, as Rust has it. `r11` is free: a call may change it, and passes nothing in it.
fn imports(functions: &[String]) -> String {
    let mut text = String::from(".text\n");
    for (number, name) in functions.iter().enumerate() {
        text += &format!(".globl {name}\n.hidden {name}\n.type {name}, @function\n");
        text += &format!("{name}: mov r11d, {number}\njmp pipeline_nn_import\n");
    }
    text + &table("pipeline_nn_callbacks", ".hidden", CALLBACKS.iter().copied())
}

/// The bindings' side: the functions' addresses, the callbacks, and where the table of the callbacks' addresses is.
fn exports(functions: &[String]) -> String {
    let mut text = String::from(".intel_syntax noprefix\n.section .note.GNU-stack,\"\",@progbits\n.text\n");
    for (number, name) in CALLBACKS.iter().enumerate() {
        text += &format!(".globl {name}\n.hidden {name}\n.type {name}, @function\n");
        text += &format!("{name}: mov r11, [rip + {LINK}]\njmp [r11 + {}]\n", 8 * number);
    }
    text += &table("pipeline_nn_functions", ".globl", functions.iter().map(String::as_str));
    text + &format!(".bss\n.balign 8\n.globl {LINK}\n.protected {LINK}\n{LINK}: .zero 8\n")
}

/// A table of addresses with a name of its own.
fn table<'a>(name: &str, visibility: &str, functions: impl Iterator<Item = &'a str>) -> String {
    let mut text =
        format!(".section .data.rel.ro, \"aw\", @progbits\n.balign 8\n.globl {name}\n{visibility} {name}\n");
    text += &format!(".type {name}, @object\n{name}:\n");
    for function in functions {
        text += &format!(".quad {function}\n");
    }
    text + ".text\n"
}
