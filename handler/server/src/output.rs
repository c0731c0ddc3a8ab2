//! Where a command's words go.

use std::io::{self, ErrorKind, IsTerminal, Write};

use egress_render::TextOptions;

use crate::exit::Exit;

/// Whether people look at the two streams, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal {
    /// Colours are welcome on stdout.
    pub(crate) color: bool,
    /// Columns of the terminal on stdout.
    width: Option<usize>,
    /// Stdout is a terminal.
    pub(crate) stdout: bool,
    /// Stderr is a terminal.
    pub(crate) stderr: bool,
}

impl Terminal {
    pub(crate) fn detect(no_color: bool) -> Self {
        let stdout = io::stdout().is_terminal();
        Self {
            color: stdout && !no_color,
            width: terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0.into()),
            stdout,
            stderr: io::stderr().is_terminal(),
        }
    }

    /// How text is laid out for this stdout.
    pub(crate) fn text_options(self) -> TextOptions {
        let default = TextOptions::default();
        TextOptions {
            color: self.color,
            width: self.width.unwrap_or(default.width),
        }
    }
}

/// Writes the result to stdout and ends with `exit`. A reader that went away (`| head`) is no fault.
pub(crate) fn result(text: &str, exit: Exit) -> Exit {
    match write_line(&mut io::stdout().lock(), text) {
        Ok(()) => exit,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => exit,
        Err(_) => Exit::Output,
    }
}

/// Tells a person on stderr why it ends with `exit`.
pub(crate) fn failure(text: &str, exit: Exit) -> Exit {
    note(text);
    exit
}

/// Tells a person something on stderr. With stderr gone there is nobody left to tell.
pub(crate) fn note(text: &str) {
    let _ = write_line(&mut io::stderr().lock(), text);
}

fn write_line(to: &mut impl Write, text: &str) -> io::Result<()> {
    to.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        to.write_all(b"\n")?;
    }
    to.flush()
}
