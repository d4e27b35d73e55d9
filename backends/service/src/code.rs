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

/// An enum whose values are documented by their codes: the rows of a table, say.
///
/// ```
/// service::codes! {
///     /// A row of the table of orders.
///     #[derive(Debug, Clone, Copy, PartialEq, Eq)]
///     pub enum Row;
///     O01 = "O01", O01b = "O01b",
/// }
///
/// use service::code::Code;
/// assert_eq!(Row::by_code("O01b"), Some(Row::O01b));
/// ```
#[macro_export]
macro_rules! codes {
    (
        $(#[$about:meta])*
        $visibility:vis enum $name:ident;
        $($variant:ident = $code:literal),* $(,)?
    ) => {
        $(#[$about])*
        $visibility enum $name {
            $(#[doc = $code] $variant,)*
        }

        impl $crate::code::Code for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),*];

            fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }
        }
    };
}
