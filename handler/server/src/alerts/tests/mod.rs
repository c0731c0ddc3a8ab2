mod functions;
mod hostile;
mod shapes;

use super::{Understood, read};

/// The subscription of the samples.
const SUBSCRIPTION: &str = crate::testing::SUBSCRIPTION;

/// The text of a sample.
macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("../../../../../tests/alerts/", $name, ".json"))
    };
}
pub(crate) use sample;

fn understood(body: &str) -> Understood {
    read(body.as_bytes(), None).unwrap()
}
