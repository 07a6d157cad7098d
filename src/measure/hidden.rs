//! What a server could not be shown of a trace's world: what can therefore not be known of it.

use serde::{Deserialize, Serialize};

/// What a server did not see. All of it is seen where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hidden {
    /// The clients' own addresses.
    pub addresses: bool,
    /// The world's DNS: names, lists, SPF.
    pub names: bool,
    /// That somebody came to the secondary.
    pub secondary: bool,
}
