/// Entry point.
fn main(){}
