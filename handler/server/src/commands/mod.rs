//! The commands. Each gives its exit code back to `main`.

mod answers;
mod ask;
mod findings;
mod report;
mod sandbox;
mod schema;
mod serve;
mod stop;

use tokio::runtime::{Builder, Runtime};

pub(crate) use answers::{bypass_plan, outcome, paths, pressure};
pub(crate) use findings::findings;
pub(crate) use report::report;
pub(crate) use sandbox::sandbox;
pub(crate) use schema::schema;
pub(crate) use serve::serve;

use crate::exit::Exit;
use crate::output;

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread().enable_all().build()
}

/// Runs a command's asynchronous part; a system that cannot start threads is told on stderr.
fn block_on(work: impl Future<Output = Exit>) -> Exit {
    match runtime() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => output::failure(&format!("cannot start: {error}"), Exit::Internal),
    }
}
