//! Values that are written as one of a few codes: in the store, in requests and in answers.

/// A value with a code.
pub trait Code: Copy + 'static {
    /// Every value.
    const ALL: &'static [Self];

    /// How it is written.
    fn code(self) -> &'static str;

    /// The value that is written so.
    fn by_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.code() == code)
    }
}

/// All codes, for a text that tells the choice.
pub fn codes<T: Code>(separator: &str) -> String {
    T::ALL.iter().map(|value| value.code()).collect::<Vec<_>>().join(separator)
}
