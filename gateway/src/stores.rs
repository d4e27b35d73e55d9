//! Stores that several gateways share (`stores` of the file).

mod redis_link;

pub(crate) use redis_link::RedisLink;
