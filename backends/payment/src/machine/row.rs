//! The rows of the tables, by their names.

service::codes! {
    /// A row of the tables of payments (Y…) and refunds (RF…).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Row;
    Y01 = "Y01", Y02 = "Y02", Y02b = "Y02b", Y03 = "Y03", Y04 = "Y04", Y05 = "Y05", Y06 = "Y06",
    Y06b = "Y06b", Y07 = "Y07", Y08 = "Y08", Y09 = "Y09", Y10 = "Y10", Y11 = "Y11", Y12 = "Y12",
    Y13 = "Y13", Y14 = "Y14", Y15 = "Y15", Y15b = "Y15b", Y16 = "Y16", Y17 = "Y17", Y18 = "Y18",
    Rf1 = "RF1", Rf2 = "RF2", Rf3 = "RF3", Rf4 = "RF4", Rf5 = "RF5", Rf6 = "RF6", Rf7 = "RF7",
    Rf8 = "RF8", Rf9 = "RF9", Rf10 = "RF10", Rf11 = "RF11", Rf12 = "RF12",
}
