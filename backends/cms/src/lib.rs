//! The rules of the CMS stand-in, without its process.

pub mod hold;
