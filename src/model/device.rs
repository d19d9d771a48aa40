//! Devices that ask for pushes.

/// What system a device is. The number is the one of the contract, and what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Android.
    Android = 1,
    /// iOS and its kin.
    Ios = 2,
    /// A browser.
    Web = 3,
}

impl Platform {
    /// The number that is stored.
    pub fn number(self) -> i32 {
        self as i32
    }

    /// From the number that is stored.
    pub fn from_number(number: i32) -> Option<Self> {
        [Self::Android, Self::Ios, Self::Web].into_iter().find(|of| of.number() == number)
    }
}
