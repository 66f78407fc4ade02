//! Where the next run is to be expected, from the runs before it.
//!
//! Sources: for measurements the Student prediction interval (Hahn and Meeker, *Statistical Intervals*, section
//! 4.7), taken on the logarithms where all are positive, since what is slow is slow by a factor; it carries the
//! factor √(1 + 1/n), without which five runs of history raise twenty times as many false alarms. For counts the
//! gamma-Poisson prediction (Gelman et al., *Bayesian Data Analysis*, section 2.6) with Jeffreys' prior: the next
//! count is negative binomial.

use super::beta::beta_reg;

use super::autocorrelation::{inflation, lag_one};
use super::{mean, median, t_quantile, t_upper, variance};

/// What the next value is expected to be like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Model {
    /// Logarithms that are normally distributed: centre and standard deviation of these.
    LogNormal,
    /// Normally distributed values, where one is 0 or below.
    Normal,
    /// Counts: whole numbers whose mean is small.
    Poisson,
}

impl Model {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LogNormal => "log-t",
            Self::Normal => "t",
            Self::Poisson => "gamma-poisson",
        }
    }

    /// The model that fits a history: counts where all are whole, none negative, and the mean below 30.
    pub fn of(history: &[f64]) -> Self {
        let is_count = |value: &f64| value.fract() == 0.0 && *value >= 0.0;
        if history.iter().all(is_count) && mean(history) < 30.0 {
            Self::Poisson
        } else if history.iter().all(|value| *value > 0.0) {
            Self::LogNormal
        } else {
            Self::Normal
        }
    }
}

/// What a history expects of the next value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// How the values are distributed.
    pub model: Model,
    /// The median of the history.
    pub centre: f64,
    /// The spread as a share of the centre.
    pub spread: f64,
    /// The correlation of one run with the next.
    pub lag_one: f64,
    n: f64,
    location: f64,
    deviation: f64,
}

impl Prediction {
    /// With the model that fits the history; otherwise as [`of`](Self::of).
    pub fn from(history: &[f64], floor: f64) -> Option<Self> {
        Self::of(Model::of(history), history, floor)
    }

    /// From at least two values that the model allows. The spread is at least `floor` as a share of the centre: a
    /// history without any would be surprised by everything.
    pub fn of(model: Model, history: &[f64], floor: f64) -> Option<Self> {
        let is_allowed = |value: &f64| match model {
            Model::LogNormal => *value > 0.0 && value.is_finite(),
            Model::Normal => value.is_finite(),
            Model::Poisson => *value >= 0.0 && value.is_finite(),
        };
        if history.len() < 2 || !history.iter().all(is_allowed) {
            return None;
        }
        let centre = median(history);
        let on_scale: Vec<f64> = match model {
            Model::LogNormal => history.iter().map(|value| value.ln()).collect(),
            _ => history.to_vec(),
        };
        let r = lag_one(history, 1.0);
        let least = match model {
            Model::LogNormal => floor,
            _ => floor * centre.abs(),
        };
        // Equal values have a spread of a last digit, by the way in which they are added up.
        let spread = variance(&on_scale).sqrt();
        let is_rounding = spread <= 1e-12 * mean(&on_scale).abs().max(1.0);
        let deviation = if is_rounding { 0.0 } else { spread }.max(least);
        Some(Self {
            model,
            centre,
            spread: match model {
                Model::LogNormal => deviation,
                _ => deviation / centre.abs().max(f64::MIN_POSITIVE),
            },
            lag_one: r,
            // As many independent runs as these are worth.
            n: history.len() as f64 / inflation(r, history.len()),
            location: mean(&on_scale),
            deviation,
        })
    }

    /// How surprising a value as large as this one or larger is.
    pub fn upper_tail(&self, value: f64) -> f64 {
        self.tail(value, 1.0)
    }

    /// How surprising a value as small as this one or smaller is.
    pub fn lower_tail(&self, value: f64) -> f64 {
        self.tail(value, -1.0)
    }

    /// The value that a run stays at or below with the probability `p`, from 0 to 1 exclusive.
    pub fn quantile(&self, p: f64) -> f64 {
        let error = self.deviation * (1.0 + 1.0 / self.n).sqrt();
        let freedom = (self.n - 1.0).max(1.0);
        match self.model {
            Model::Poisson => self.count_quantile(p),
            Model::LogNormal => (self.location + error * t_quantile(p, freedom)).exp(),
            Model::Normal => self.location + error * t_quantile(p, freedom),
        }
    }

    /// The smallest count that is not exceeded with this probability.
    fn count_quantile(&self, p: f64) -> f64 {
        let is_enough = |count: f64| self.count_tail(count, -1.0) >= p;
        let mut high = 1.0;
        while !is_enough(high) && high < 1e15 {
            high *= 2.0;
        }
        let mut low = -1.0;
        while high - low > 1.0 {
            let middle = f64::midpoint(low, high).floor();
            match is_enough(middle) {
                true => high = middle,
                false => low = middle,
            }
        }
        high
    }

    fn tail(&self, value: f64, sign: f64) -> f64 {
        let place = match self.model {
            Model::Poisson => return self.count_tail(value, sign),
            Model::LogNormal if value > 0.0 => value.ln(),
            Model::LogNormal => f64::NEG_INFINITY,
            Model::Normal => value,
        };
        if self.deviation == 0.0 {
            let is_beyond = sign * (value - self.centre) > 0.0;
            return if is_beyond { 0.0 } else { 1.0 };
        }
        let error = self.deviation * (1.0 + 1.0 / self.n).sqrt();
        t_upper(
            sign * (place - self.location) / error,
            (self.n - 1.0).max(1.0),
        )
    }

    /// With Jeffreys' prior the rate is gamma distributed with the shape sum + 1/2 after n runs.
    fn count_tail(&self, value: f64, sign: f64) -> f64 {
        let shape = self.location * self.n + 0.5;
        let success = self.n / (self.n + 1.0);
        let count = value.max(0.0).floor();
        // P(X >= k) of a negative binomial is a regularised beta function.
        match sign > 0.0 {
            true if count == 0.0 => 1.0,
            true => beta_reg(count, shape, 1.0 - success),
            false => beta_reg(shape, count + 1.0, success),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_follows_the_values() {
        assert_eq!(Model::of(&[1.0, 4.0, 0.0]), Model::Poisson);
        assert_eq!(Model::of(&[100.0, 104.0, 99.0]), Model::LogNormal);
        assert_eq!(Model::of(&[-1.0, 0.5, 0.0]), Model::Normal);
    }

    /// `scipy.stats.t.sf((x - mean) / (s * sqrt(1 + 1/n)), n - 1)` of the logarithms, SciPy 1.16.
    #[test]
    fn the_interval_carries_the_uncertainty_of_the_centre() {
        let history = [100.5, 97.2, 103.9, 101.1, 95.8, 104.4, 99.0, 100.7];
        let found = Prediction::from(&history, 0.0).unwrap();
        assert_eq!(found.model, Model::LogNormal);
        assert!(
            (found.upper_tail(108.0) - 0.025595781961157024).abs() < 1e-9,
            "{}",
            found.upper_tail(108.0)
        );
        assert!((found.upper_tail(92.0) + found.lower_tail(92.0) - 1.0).abs() < 1e-12);
    }

    /// `scipy.stats.nbinom.sf(9 - 1, 40 + 0.5, 10 / 11)` for ten runs with 40 in all, SciPy 1.16.
    #[test]
    fn counts_are_predicted_by_a_negative_binomial() {
        let history = [4.0, 3.0, 5.0, 4.0, 6.0, 2.0, 4.0, 5.0, 3.0, 4.0];
        let found = Prediction::from(&history, 0.0).unwrap();
        assert_eq!((found.model, found.lag_one), (Model::Poisson, 0.0));
        assert!(
            (found.upper_tail(9.0) - 0.029068693726241893).abs() < 1e-9,
            "{}",
            found.upper_tail(9.0)
        );
        assert_eq!(found.upper_tail(0.0), 1.0);
    }

    #[test]
    fn a_history_without_spread_has_the_floor() {
        let found = Prediction::from(&[100.5; 20], 0.02).unwrap();
        assert!(found.upper_tail(101.5) > 0.1 && found.upper_tail(115.0) < 1e-4);
        let strict = Prediction::from(&[100.5; 20], 0.0).unwrap();
        assert_eq!(
            (strict.upper_tail(100.6), strict.upper_tail(100.5)),
            (0.0, 1.0)
        );
        assert!(Prediction::from(&[1.0], 0.0).is_none());
        assert!(Prediction::from(&[1.0, f64::NAN], 0.0).is_none());
    }
}
