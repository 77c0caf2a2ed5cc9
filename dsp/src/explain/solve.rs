//! Least squares with a leaning, in small complex matrices: which gains explain a mix, given what one would expect of them.

use realfft::num_complex::Complex64;

/// A column for each input; `N` of them.
pub type Square<const N: usize> = [[Complex64; N]; N];

/// The factor of a positive definite matrix, after Cholesky.
#[derive(Debug, Clone)]
pub struct Factor<const N: usize>(Square<N>);

impl<const N: usize> Factor<N> {
    /// Of a Hermitian matrix of which the lower half is read. Where it is not definite by rounding, a tiny pivot stands in,
    /// which leaves the leaning of that direction.
    pub fn of(matrix: &Square<N>) -> Self {
        let largest = (0..N).map(|n| matrix[n][n].re).fold(f64::MIN_POSITIVE, f64::max);
        let mut lower = [[Complex64::default(); N]; N];
        for row in 0..N {
            for column in 0..=row {
                let known: Complex64 = (0..column).map(|n| lower[row][n] * lower[column][n].conj()).sum();
                let rest = matrix[row][column] - known;
                lower[row][column] = if row == column {
                    Complex64::from(rest.re.max(1e-14 * largest).sqrt())
                } else {
                    rest / lower[column][column].re
                };
            }
        }
        Self(lower)
    }

    /// The solution for a right-hand side.
    pub fn solve(&self, right: &[Complex64; N]) -> [Complex64; N] {
        let lower = &self.0;
        let mut solution = *right;
        for row in 0..N {
            let known: Complex64 = (0..row).map(|n| lower[row][n] * solution[n]).sum();
            solution[row] = (solution[row] - known) / lower[row][row].re;
        }
        for row in (0..N).rev() {
            let known: Complex64 = (row + 1..N).map(|n| lower[n][row].conj() * solution[n]).sum();
            solution[row] = (solution[row] - known) / lower[row][row].re;
        }
        solution
    }

    /// The inverse.
    pub fn inverse(&self) -> Square<N> {
        let mut inverse = [[Complex64::default(); N]; N];
        for column in 0..N {
            let mut unit = [Complex64::default(); N];
            unit[column] = Complex64::from(1.0);
            let solved = self.solve(&unit);
            (0..N).for_each(|row| inverse[row][column] = solved[row]);
        }
        inverse
    }
}

/// `a* M b`, of a Hermitian matrix of which the lower half is read.
pub fn form<const N: usize>(matrix: &Square<N>, a: &[Complex64; N], b: &[Complex64; N]) -> Complex64 {
    let entry = |row: usize, column: usize| {
        if row >= column { matrix[row][column] } else { matrix[column][row].conj() }
    };
    let pairs = (0..N).flat_map(|row| (0..N).map(move |column| (row, column)));
    pairs.map(|(row, column)| a[row].conj() * entry(row, column) * b[column]).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_solution_solves_and_an_inverse_inverts() {
        let c = Complex64::new;
        let matrix = [
            [c(4.0, 0.0), c(0.0, 0.0), c(0.0, 0.0)],
            [c(1.0, 2.0), c(5.0, 0.0), c(0.0, 0.0)],
            [c(0.5, -1.0), c(0.0, 1.0), c(3.0, 0.0)],
        ];
        let wanted = [c(1.0, -1.0), c(0.25, 2.0), c(-3.0, 0.5)];
        let unit = |n: usize| std::array::from_fn(|m| c(f64::from(u8::from(m == n)), 0.0));
        let right = std::array::from_fn(|row| form(&matrix, &unit(row), &wanted));
        let factor = Factor::of(&matrix);
        let solved = factor.solve(&right);
        assert!(solved.iter().zip(&wanted).all(|(a, b)| (a - b).norm() < 1e-12), "{solved:?}");
        let inverse = factor.inverse();
        let column = |n: usize| std::array::from_fn(|row| inverse[row][n]);
        for (m, n) in (0..9).map(|pair| (pair / 3, pair % 3)) {
            let product = form(&matrix, &unit(m), &column(n));
            assert!((product - f64::from(u8::from(m == n))).norm() < 1e-12);
        }
    }
}
