//! The overview of many clusters: what is stored of each one's last diagnosis, and who asks for new ones.

pub(crate) mod overview;
pub(crate) mod row;
pub(crate) mod rows;
pub(crate) mod sweep;
pub(crate) mod text;
