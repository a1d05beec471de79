//! [`Kernel`]: how much each photo pixel around a point counts.

use super::level::WHOLE;

/// Positions within a pixel, along each axis, for which weights are tabulated: a power of two.
pub(super) const PHASES: usize = 32;

/// Most pixels on each side of a point: beyond, a very uneven view is less smooth.
const MOST_HALF_TAPS: usize = 32;

/// Weights of the pixels around a point.
#[derive(Debug, Default)]
pub(super) struct Kernel {
    /// Pixels along each axis: even, at least 2.
    pub(super) taps: usize,
    /// `[PHASES, PHASES, taps, taps]` by phase in y and x and pixel in y and x. Those of a phase add up to [`WHOLE`].
    pub(super) weights: Vec<u16>,
    /// Of one phase, before they are rounded.
    exact: Vec<f64>,
}

impl Kernel {
    /// For a view whose steps of one pixel in x and y are these vectors in the level.
    pub(super) fn tabulate(&mut self, steps: [(f64, f64); 2]) {
        // Never narrower than a pixel of the level: that is interpolation.
        let [a, b] = steps.map(|(x, y)| {
            let length = x.hypot(y);
            if length.is_finite() && length > 0.0 {
                let wider = length.max(1.0) / length;
                (x * wider, y * wider)
            } else {
                (0.0, 0.0)
            }
        });
        let area = a.0 * b.1 - b.0 * a.1;
        // Vectors that all but coincide span nothing.
        let (a, b, area) = if area.abs() < 0.1 { ((1.0, 0.0), (0.0, 1.0), 1.0) } else { (a, b, area) };
        // Of an offset, in steps of the view: u = dx * (b.1 / area) - dy * (b.0 / area), and v likewise.
        let (u_x, u_y, v_x, v_y) = (b.1 / area, -b.0 / area, -a.1 / area, a.0 / area);
        let reach = f64::max(a.0.abs() + b.0.abs(), a.1.abs() + b.1.abs());
        let half = (reach.ceil() as usize).min(MOST_HALF_TAPS);
        self.taps = 2 * half;
        self.weights.clear();
        let triangle = |t: f64| (1.0 - t.abs()).max(0.0);
        // How far pixel `tap` is from the point, along an axis.
        let offset = |tap: usize, phase: usize| tap as f64 - (half - 1) as f64 - phase as f64 / PHASES as f64;
        for phase_y in 0..PHASES {
            for phase_x in 0..PHASES {
                self.exact.clear();
                for tap_y in 0..self.taps {
                    let dy = offset(tap_y, phase_y);
                    for tap_x in 0..self.taps {
                        let dx = offset(tap_x, phase_x);
                        self.exact.push(triangle(u_x * dx + u_y * dy) * triangle(v_x * dx + v_y * dy));
                    }
                }
                if self.exact.iter().sum::<f64>() < 1e-6 {
                    // A very oblique view may miss every pixel: it gets the one before the point.
                    self.exact[(half - 1) * self.taps + half - 1] = 1.0;
                }
                self.round();
            }
        }
    }

    /// Appends the exact weights, rounded so that their sum is [`WHOLE`]: what one loses the next gets.
    fn round(&mut self) {
        let scale = f64::from(WHOLE) / self.exact.iter().sum::<f64>();
        let (mut exact_sum, mut sum) = (0.0, 0);
        for weight in &self.exact {
            exact_sum += weight * scale;
            // Half up; the numbers are small and not negative.
            let rounded = (exact_sum + 0.5) as u16;
            self.weights.push(rounded - sum);
            sum = rounded;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_of_every_phase_add_up_to_the_whole() {
        let steps = [
            [(0.5, 0.0), (0.0, 0.7)],
            [(1.6, 0.3), (-0.3, 1.6)],
            [(2.9, 0.0), (0.0, 2.9)],
            [(9.0, 1.0), (0.0, 1.0)],
            // No area.
            [(1.0, 1.0), (2.0, 2.0)],
            [(f64::NAN, 0.0), (0.0, 1.0)],
        ];
        let mut kernel = Kernel::default();
        for steps in steps {
            kernel.tabulate(steps);
            let cell = kernel.taps * kernel.taps;
            assert_eq!(kernel.weights.len(), PHASES * PHASES * cell, "{steps:?}");
            for weights in kernel.weights.chunks_exact(cell) {
                assert_eq!(weights.iter().map(|weight| u32::from(*weight)).sum::<u32>(), u32::from(WHOLE));
            }
        }
    }
}
