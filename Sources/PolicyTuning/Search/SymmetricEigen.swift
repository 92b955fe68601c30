/// Eigenvalues and eigenvectors of a small symmetric matrix, by Jacobi rotations.
struct SymmetricEigen {
  /// In no order.
  var values: [Double]
  /// Column `k`, at `[row * n + k]`, belongs to value `k`.
  var vectors: [Double]

  /// - Parameter matrix: Shape `[n, n]`, row-major, symmetric.
  /// - Complexity: O(*n*³) per sweep; fewer than ten sweeps.
  init(_ matrix: [Double], count n: Int) {
    var a = matrix
    values = []
    vectors = [Double](repeating: 0, count: n * n)
    for index in 0..<n { vectors[index * n + index] = 1 }
    for _ in 0..<50 {
      var (offDiagonal, diagonal) = (0.0, 0.0)
      for row in 0..<n {
        diagonal += a[row * n + row] * a[row * n + row]
        for column in (row + 1)..<max(n, row + 1) {
          offDiagonal += a[row * n + column] * a[row * n + column]
        }
      }
      // Rounding alone is left.
      if offDiagonal <= 1e-26 * diagonal { break }
      for row in 0..<n {
        for column in (row + 1)..<max(n, row + 1) { rotate(&a, row, column, n) }
      }
    }
    values = (0..<n).map { a[$0 * n + $0] }
  }

  private mutating func rotate(_ a: inout [Double], _ p: Int, _ q: Int, _ n: Int) {
    let apq = a[p * n + q]
    guard apq != 0 else { return }
    let theta = (a[q * n + q] - a[p * n + p]) / (2 * apq)
    let sign: Double = theta >= 0 ? 1 : -1
    let t = sign / (abs(theta) + (theta * theta + 1).squareRoot())
    let c = 1 / (t * t + 1).squareRoot()
    let s = t * c
    for k in 0..<n {
      let (akp, akq) = (a[k * n + p], a[k * n + q])
      a[k * n + p] = c * akp - s * akq
      a[k * n + q] = s * akp + c * akq
    }
    for k in 0..<n {
      let (apk, aqk) = (a[p * n + k], a[q * n + k])
      a[p * n + k] = c * apk - s * aqk
      a[q * n + k] = s * apk + c * aqk
      let (vkp, vkq) = (vectors[k * n + p], vectors[k * n + q])
      vectors[k * n + p] = c * vkp - s * vkq
      vectors[k * n + q] = s * vkp + c * vkq
    }
  }
}
