//! [`Canvas`]: where the pixels of a view lie in the photo, as geometric transforms move them.
//!
//! Points are continuous, in pixels, x to the right and y down; the centre of the first pixel is (0.5, 0.5). The
//! photo is thought to go on for ever beyond its edges (see [`Border`](crate::Border)), so transforms that look
//! outside follow each other exactly, and all of them together are one map, sampled once.

/// A map of points to points of the plane, up to perspective: 3 x 3, row-major, applied to (x, y, 1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Map(pub [[f64; 3]; 3]);

impl Map {
    /// Every point stays.
    pub const IDENTITY: Map = Map([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);

    /// (x, y) to (a·x + b·y + c, d·x + e·y + f).
    pub fn affine([a, b, c]: [f64; 3], [d, e, f]: [f64; 3]) -> Map {
        Map([[a, b, c], [d, e, f], [0.0, 0.0, 1.0]])
    }

    /// (x, y) to (x + dx, y + dy).
    pub fn shift(dx: f64, dy: f64) -> Map {
        Map::affine([1.0, 0.0, dx], [0.0, 1.0, dy])
    }

    /// First `inner`, then this.
    #[must_use]
    pub fn after(&self, inner: &Map) -> Map {
        let mut product = [[0.0; 3]; 3];
        for (row, out) in product.iter_mut().enumerate() {
            for (column, value) in out.iter_mut().enumerate() {
                *value = (0..3).map(|k| self.0[row][k] * inner.0[k][column]).sum();
            }
        }
        Map(product)
    }

    /// The map that takes the corners of the unit square, (0, 0), (1, 0), (1, 1), (0, 1), to these points (Heckbert,
    /// "Fundamentals of Texture Mapping and Image Warping", 1989, section 2.2.3). Three in a line make no map.
    pub fn unit_square_to([p0, p1, p2, p3]: [(f64, f64); 4]) -> Map {
        let (dx1, dy1) = (p1.0 - p2.0, p1.1 - p2.1);
        let (dx2, dy2) = (p3.0 - p2.0, p3.1 - p2.1);
        let (sx, sy) = (p0.0 - p1.0 + p2.0 - p3.0, p0.1 - p1.1 + p2.1 - p3.1);
        let area = dx1 * dy2 - dx2 * dy1;
        let (g, h) = ((sx * dy2 - dx2 * sy) / area, (dx1 * sy - sx * dy1) / area);
        Map([
            [p1.0 - p0.0 + g * p1.0, p3.0 - p0.0 + h * p3.0, p0.0],
            [p1.1 - p0.1 + g * p1.1, p3.1 - p0.1 + h * p3.1, p0.1],
            [g, h, 1.0],
        ])
    }

    /// The map back; `None` where there is none.
    pub fn inverse(&self) -> Option<Map> {
        let m = &self.0;
        // Rows and columns taken in a circle make the signs of the cofactors come out right.
        let cofactor = |row: usize, column: usize| {
            let (r1, r2) = ((row + 1) % 3, (row + 2) % 3);
            let (c1, c2) = ((column + 1) % 3, (column + 2) % 3);
            m[r1][c1] * m[r2][c2] - m[r1][c2] * m[r2][c1]
        };
        let determinant: f64 = (0..3).map(|column| m[0][column] * cofactor(0, column)).sum();
        let mut back = [[0.0; 3]; 3];
        for (row, out) in back.iter_mut().enumerate() {
            for (column, value) in out.iter_mut().enumerate() {
                *value = cofactor(column, row) / determinant;
            }
        }
        (determinant.is_finite() && determinant != 0.0).then_some(Map(back))
    }

    /// Where a point goes.
    pub fn apply(&self, x: f64, y: f64) -> (f64, f64) {
        let [u, v, w] = self.0.map(|[a, b, c]| a * x + b * y + c);
        (u / w, v / w)
    }

    /// Whether a point is on the near side of the horizon. Of an area whose corners are, the image lies between theirs.
    pub(crate) fn is_before_horizon(&self, x: f64, y: f64) -> bool {
        let [g, h, i] = self.0[2];
        g * x + h * y + i > 0.0
    }

    /// Whether it is without perspective.
    pub fn is_affine(&self) -> bool {
        let [g, h, _] = self.0[2];
        g == 0.0 && h == 0.0
    }

    /// The derivative at a point: how far the image moves for one step in x, and for one in y.
    pub fn steps_at(&self, x: f64, y: f64) -> [(f64, f64); 2] {
        let (u, v) = self.apply(x, y);
        let [[a, b, _], [d, e, _], [g, h, i]] = self.0;
        let w = g * x + h * y + i;
        [((a - g * u) / w, (d - g * v) / w), ((b - h * u) / w, (e - h * v) / w)]
    }
}

/// The canvas: a rectangle whose points each come from a point of the photo.
#[derive(Debug, Clone)]
pub struct Canvas {
    /// Side S of the square that the network sees, in pixels.
    size: u32,
    /// Width and height now, in pixels; whole numbers.
    width: f64,
    height: f64,
    /// Whether it has been brought to the network's scale.
    is_scaled: bool,
    to_photo: Map,
}

impl Canvas {
    /// A photo of `width` x `height` pixels, for a network that sees `size` x `size`.
    pub(crate) fn new(width: u32, height: u32, size: u32) -> Self {
        let (width, height) = (f64::from(width), f64::from(height));
        Canvas { size, width, height, is_scaled: false, to_photo: Map::IDENTITY }
    }

    /// Side S of the square that the network sees, in pixels.
    pub fn size(&self) -> f64 {
        f64::from(self.size)
    }

    /// Width and height, in pixels, once the photo has the network's scale.
    pub fn sides(&mut self) -> (f64, f64) {
        self.bring_to_scale();
        (self.width, self.height)
    }

    /// Scales the shorter side to `floor(factor * S)` and the other to `max(floor(side * ratio), that)`. On a canvas
    /// that has been scaled, `factor` is of its own shorter side.
    pub fn scale(&mut self, factor: f64) {
        let short = self.width.min(self.height);
        let base = if self.is_scaled { short } else { self.size() };
        // Factors are kept as f32, and 1.3 of them is a little less than 1.3: of 160 pixels it is still 208.
        let target = (factor * base + 1e-4).floor().max(1.0);
        // With the exact quotient, as the plain view has it.
        let scaled = |side: f64| (side * target / short).floor().max(target);
        let (width, height) = (scaled(self.width), scaled(self.height));
        let (x, y) = (self.width / width, self.height / height);
        self.is_scaled = true;
        self.change(width, height, &Map::affine([x, 0.0, 0.0], [0.0, y, 0.0]));
    }

    /// Turns the photo by `deg` degrees about the centre, counter-clockwise as seen.
    pub fn rotate(&mut self, deg: f64) {
        let (sin, cos) = deg.to_radians().sin_cos();
        self.about_centre(&Map::affine([cos, -sin, 0.0], [sin, cos, 0.0]));
    }

    /// Mirrors the photo, left to right.
    pub fn flip(&mut self) {
        let (width, height) = self.sides();
        self.change(width, height, &Map::affine([-1.0, 0.0, width], [0.0, 1.0, 0.0]));
    }

    /// Exchanges x and y.
    pub fn transpose(&mut self) {
        let (width, height) = self.sides();
        self.change(height, width, &Map::affine([0.0, 1.0, 0.0], [1.0, 0.0, 0.0]));
    }

    /// Adds `pixels` on each side.
    pub fn pad(&mut self, pixels: f64) {
        let (width, height) = self.sides();
        self.change(width + 2.0 * pixels, height + 2.0 * pixels, &Map::shift(-pixels, -pixels));
    }

    /// Stretches the rectangle of `width` x `height` at (`x`, `y`), in pixels of the canvas, to S x S.
    pub fn stretch(&mut self, x: f64, y: f64, width: f64, height: f64) {
        self.bring_to_scale();
        let size = self.size();
        self.change(size, size, &Map::affine([width / size, 0.0, x], [0.0, height / size, y]));
    }

    /// Takes each point from where `map` says; the map's origin is the centre of the canvas.
    pub fn about_centre(&mut self, map: &Map) {
        let (width, height) = self.sides();
        let (x, y) = (width / 2.0, height / 2.0);
        self.change(width, height, &Map::shift(x, y).after(map).after(&Map::shift(-x, -y)));
    }

    /// Ends with the S x S square at `floor(x * (width - S))`, `floor(y * (height - S))`: where each of its points
    /// comes from. `x` and `y` are shares, 0 to 1.
    pub(crate) fn crop(mut self, x: f64, y: f64) -> Map {
        let (width, height) = self.sides();
        let start = |share: f64, side: f64| (share * (side - self.size())).floor();
        self.to_photo.after(&Map::shift(start(x, width), start(y, height)))
    }

    fn bring_to_scale(&mut self) {
        if !self.is_scaled {
            self.scale(1.0);
        }
    }

    /// A new canvas, whose points come from points of the old one.
    fn change(&mut self, width: f64, height: f64, to_old: &Map) {
        (self.width, self.height) = (width, height);
        self.to_photo = self.to_photo.after(to_old);
    }
}
