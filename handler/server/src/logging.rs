//! The log: one JSON object per line on stdout, where the Functions host takes it as information. Stderr stays silent,
//! because the host would show each of its lines as an error.

use std::panic;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts the log.
pub(crate) fn start(level: Level) {
    let json = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_filter(filter(level));
    // Already started is fine.
    let _ = tracing_subscriber::registry().with(json).try_init();
    panic::set_hook(Box::new(|info| {
        let location = info.location().map(ToString::to_string);
        tracing::error!(
            location,
            "panicked: {}",
            info.payload_as_str().unwrap_or("no message")
        );
    }));
}

/// Our own crates at the chosen level, all others at warnings: what they write below that may hold whole URLs.
fn filter(level: Level) -> Targets {
    Targets::new()
        .with_default(LevelFilter::from_level(level.min(Level::WARN)))
        .with_target("egress_", level)
        .with_target("handler", level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_crates_never_log_below_warnings() {
        let filter = filter(Level::TRACE);
        assert!(filter.would_enable("handler::http", &Level::TRACE));
        assert!(filter.would_enable("egress_arm::session", &Level::TRACE));
        assert!(!filter.would_enable("reqwest::connect", &Level::INFO));
        assert!(filter.would_enable("reqwest::connect", &Level::WARN));
        let quiet = super::filter(Level::ERROR);
        assert!(!quiet.would_enable("reqwest::connect", &Level::WARN));
    }
}
