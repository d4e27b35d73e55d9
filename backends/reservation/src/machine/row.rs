//! The rows of the table, by their names.

service::codes! {
    /// A row of the table of reservations.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Row;
    T01 = "T01", T02 = "T02", T03 = "T03", T04 = "T04", T05 = "T05", T06 = "T06", T07 = "T07",
    T08 = "T08", T09 = "T09", T10 = "T10", T11 = "T11", T12 = "T12", T13 = "T13", T14 = "T14",
    T15 = "T15", T15b = "T15b", T16 = "T16", T17 = "T17", T18 = "T18", T19 = "T19", T20 = "T20",
    T20b = "T20b", T21 = "T21", T22 = "T22", T23 = "T23", T24 = "T24", T25 = "T25", T26 = "T26",
    T27 = "T27", T28 = "T28", T29 = "T29", T30 = "T30", T31 = "T31", T32 = "T32", T33 = "T33",
}
