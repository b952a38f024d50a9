/** Eigenvalues of symmetric 3 x 3 matrices, and what follows from them: noise that is correlated between colours. */

/** Rows of a 3 x 3 matrix. */
export type Matrix3 = readonly (readonly number[])[];

const AXES = [0, 1, 2] as const;

/** A 3 x 3 matrix by its elements. */
export function matrix3(element: (row: number, column: number) => number): Matrix3 {
  return AXES.map((i) => AXES.map((j) => element(i, j)));
}

/** a b */
export function product(a: Matrix3, b: Matrix3): Matrix3 {
  return matrix3((i, j) => a[i][0] * b[0][j] + a[i][1] * b[1][j] + a[i][2] * b[2][j]);
}

/** The transposed matrix. */
export function transposed(a: Matrix3): Matrix3 {
  return matrix3((i, j) => a[j][i]);
}

/** Eigenvalues from the largest on, and the unit eigenvectors as columns (Jacobi's method). */
export function eigen(symmetric: Matrix3): { values: number[]; vectors: Matrix3 } {
  let a = symmetric;
  let vectors = matrix3((i, j) => (i === j ? 1 : 0));
  for (let sweep = 0; sweep < 20; sweep++) {
    for (const [p, q] of [
      [0, 1],
      [0, 2],
      [1, 2],
    ]) {
      if (a[p][q] === 0) continue;
      const angle = Math.atan2(2 * a[p][q], a[q][q] - a[p][p]) / 2;
      const [c, s] = [Math.cos(angle), Math.sin(angle)];
      const turn = matrix3((i, j) => {
        if (i === p && j === q) return s;
        if (i === q && j === p) return -s;
        return i === j ? (i === p || i === q ? c : 1) : 0;
      });
      a = product(transposed(turn), product(a, turn));
      vectors = product(vectors, turn);
    }
  }
  const order = [...AXES].sort((i, j) => a[j][j] - a[i][i]);
  return { values: order.map((i) => a[i][i]), vectors: matrix3((i, j) => vectors[i][order[j]]) };
}

/** An orthonormal basis of the columns' space: the left singular vectors (scipy.linalg.orth), up to their signs. */
export function orthonormalBasis(a: Matrix3): Matrix3 {
  return eigen(product(a, transposed(a))).vectors;
}

/**
 * The symmetric R with R R = |a|: normal numbers times R have the covariance that numpy.random.multivariate_normal gives for
 * `a`, which takes the magnitudes of the eigenvalues.
 */
export function squareRootOfMagnitude(a: Matrix3): Matrix3 {
  const { values, vectors } = eigen(a);
  const roots = values.map((value) => Math.sqrt(Math.abs(value)));
  return matrix3((i, j) => AXES.reduce<number>((sum, k) => sum + vectors[i][k] * roots[k] * vectors[j][k], 0));
}
