//! `pipeline schema`: the JSON schema of a config, for editors.

use pipeline_stage::exit;

use super::Stop;
use crate::config;
use crate::stages::STAGES;
use crate::terminal::Screen;

/// Write the JSON schema of a config, from which editors complete and check while you type
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pipeline schema > configs/schema.json\n  \
    pipeline schema --pipeline lesson1 > configs/lesson1.schema.json\n\n\
    An editor with the YAML language server uses it in a config whose first line is\n  \
    # yaml-language-server: $schema=schema.json")]
pub(super) struct Arguments {
    /// Only configs of this pipeline: a name or a .yaml file, as a config would say it [default: those built in and in
    /// pipelines/; in configs of others, sections of any kind]
    #[arg(long, value_name = "NAME|FILE")]
    pipeline: Option<String>,
}

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    let folder = std::env::current_dir().unwrap_or_default();
    let (schema, left_out) = config::schema(arguments.pipeline.as_deref(), &folder, STAGES)?;
    for fault in left_out {
        screen.error(&format!("warning: left out: {fault}"));
    }
    screen.raw(&format!("{schema:#}"));
    Ok(exit::DONE)
}
