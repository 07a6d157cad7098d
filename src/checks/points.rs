//! Points: the one number by which findings add up.
//!
//! Kept in hundredths, so that sums do not depend on the order of arrival.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Points of a finding or a total, in hundredths; negative points are trust. Settings allow −1000 to 1000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Points(i32);

impl Points {
    /// No points.
    pub const ZERO: Self = Self(0);
    /// Less than any total.
    pub const LEAST: Self = Self(i32::MIN);

    /// Whole points.
    #[must_use]
    pub const fn new(whole: i16) -> Self {
        Self(whole as i32 * 100)
    }

    /// Points from hundredths.
    #[must_use]
    pub const fn hundredths(hundredths: i32) -> Self {
        Self(hundredths)
    }

    /// These points, in hundredths.
    #[must_use]
    pub const fn in_hundredths(self) -> i32 {
        self.0
    }

    /// The smaller of zero and these points: what a finding could take off a total.
    #[must_use]
    pub fn below_zero(self) -> Self {
        self.min(Self::ZERO)
    }

    /// The larger of zero and these points: what a finding could add to a total.
    #[must_use]
    pub fn above_zero(self) -> Self {
        self.max(Self::ZERO)
    }

    /// From nothing to these points: what an answer could bring that brings either.
    #[must_use]
    pub fn span(self) -> std::ops::RangeInclusive<Self> {
        self.below_zero()..=self.above_zero()
    }

    /// `count` times these points, without overflow.
    #[must_use]
    pub fn times(self, count: usize) -> Self {
        Self(
            self.0
                .saturating_mul(i32::try_from(count).unwrap_or(i32::MAX)),
        )
    }
}

impl std::ops::Add for Points {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl std::ops::Sub for Points {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl std::ops::AddAssign for Points {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for Points {
    fn sum<I: Iterator<Item = Self>>(points: I) -> Self {
        points.fold(Self::ZERO, |total, points| total + points)
    }
}

impl std::fmt::Display for Points {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, part) = (self.0.unsigned_abs() / 100, self.0.unsigned_abs() % 100);
        match (part, part % 10) {
            (0, _) => f.pad(&format!("{sign}{whole}")),
            (_, 0) => f.pad(&format!("{sign}{whole}.{}", part / 10)),
            _ => f.pad(&format!("{sign}{whole}.{part:02}")),
        }
    }
}

impl Serialize for Points {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % 100 == 0 {
            return serializer.serialize_i32(self.0 / 100);
        }
        serializer.serialize_f64(f64::from(self.0) / 100.0)
    }
}

impl<'de> Deserialize<'de> for Points {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        if !(-1000.0..=1000.0).contains(&number) {
            return Err(de::Error::custom(
                "points must be a number from -1000 to 1000",
            ));
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the range was checked above"
        )]
        let hundredths = (number * 100.0).round() as i32;
        Ok(Self(hundredths))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_written_as_people_write_them() {
        for (hundredths, text) in [
            (0, "0"),
            (500, "5"),
            (150, "1.5"),
            (-50, "-0.5"),
            (125, "1.25"),
            (-300, "-3"),
        ] {
            assert_eq!(Points(hundredths).to_string(), text);
            let json = serde_json::to_string(&Points(hundredths)).unwrap();
            assert_eq!(
                serde_json::from_str::<Points>(&json).unwrap(),
                Points(hundredths)
            );
        }
    }

    #[test]
    fn points_out_of_range_are_refused() {
        assert!(serde_json::from_str::<Points>("1001").is_err());
        assert!(serde_json::from_str::<Points>("\"five\"").is_err());
    }
}
