//! What is counted of a journal judged again.
