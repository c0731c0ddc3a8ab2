//! Compresses the interface's files, which are part of the binary and seldom asked for, to a seventh.

use std::io::Write as _;
use std::path::Path;
use std::{env, fs, io};

use flate2::Compression;
use flate2::write::ZlibEncoder;

fn main() -> io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "cargo tells it so alone")]
    let out = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    let contracts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/contracts");
    for file in ["openapi.json", "swagger.json"] {
        let source = contracts.join(file);
        println!("cargo::rerun-if-changed={}", source.display());
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&fs::read(source)?)?;
        let target = Path::new(&out).join(format!("{file}.z"));
        fs::write(target, packed.finish()?)?;
    }
    Ok(())
}
