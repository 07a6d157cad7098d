//! Floor 0: the protocol. Bytes to events, events to replies, in both directions.
