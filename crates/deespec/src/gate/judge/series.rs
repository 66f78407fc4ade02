//! The values of one metric, run by run, as far back as rules look.

/// Values with the places of their runs.
#[derive(Debug, Clone, Default)]
pub(super) struct Series {
    values: Vec<f64>,
    places: Vec<usize>,
    /// The index of the first value of the present level.
    anchor: usize,
    /// Whether the newest runs of all have this value; for a metric that is sometimes not measured.
    is_newest: bool,
}

/// The values since the level last moved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Since<'a> {
    pub(super) values: &'a [f64],
    places: &'a [usize],
}

impl Since<'_> {
    /// The place of the run of a value, counted in all runs.
    pub(super) fn place(&self, index: usize) -> usize {
        self.places.get(index).copied().unwrap_or_default()
    }
}

impl Series {
    /// Of values that were measured before anything is judged, the oldest first.
    pub(super) fn of(known: Vec<(usize, f64)>) -> Self {
        let (places, values) = known.into_iter().unzip();
        Self {
            values,
            places,
            anchor: 0,
            is_newest: false,
        }
    }

    /// Takes the value of the next run; `None` where it was not measured.
    pub(super) fn push(&mut self, place: usize, value: Option<f64>) {
        self.is_newest = value.is_some();
        if let Some(value) = value {
            self.values.push(value);
            self.places.push(place);
        }
    }

    /// Whether the newest run was measured.
    pub(super) fn is_newest(&self) -> bool {
        self.is_newest
    }

    pub(super) fn since(&self) -> Since<'_> {
        Since {
            values: &self.values[self.anchor..],
            places: &self.places[self.anchor..],
        }
    }

    /// From the run at this place on the level is another.
    pub(super) fn begin_at(&mut self, place: usize) {
        let index = self.places.partition_point(|one| *one < place);
        self.anchor = self.anchor.max(index);
    }
}
