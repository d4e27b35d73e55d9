//! An API gateway on Pingora that speaks the Spring Cloud Gateway language.

pub mod config;
