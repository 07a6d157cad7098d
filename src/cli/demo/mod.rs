//! What `gatepost demo` brings along, so that it needs nothing from the network.

pub mod dns;
