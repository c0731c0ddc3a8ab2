//! Writes `docs/findings/` from the rules.

use std::fs;
use std::io;
use std::path::Path;

use egress_diagnosis::rules::{RULES, index, page};

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/findings");
    fs::create_dir_all(&folder)?;
    for rule in RULES {
        fs::write(folder.join(format!("{}.md", rule.code)), page(rule))?;
    }
    fs::write(folder.join("README.md"), index())
}
