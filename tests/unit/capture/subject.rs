// What a Rust program's enums lead to, for the capture of pointers in variants.
use std::sync::atomic::{AtomicPtr, Ordering};

static SINK: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());

pub struct Point {
    pub x: i32,
    pub y: i32,
}

// Pointers of two types in one place, and two of one type.
pub enum Shape {
    Dot(u64),
    Corner(Box<Point>),
    Edge(Box<Point>),
    Named(&'static str),
    Login { password: &'static str, points: Box<Point> },
}

pub struct Wide {
    pub room: [u64; 20],
    pub shape: Shape,
    pub perhaps: Option<Box<Point>>,
}

#[inline(never)]
fn keep<T>(value: &T) {
    SINK.store(value as *const T as *mut u8, Ordering::Relaxed);
}

#[inline(never)]
fn look(some: Option<&Point>) -> u64 {
    let none: Option<Box<Point>> = None;
    let dot = Shape::Dot(0xdead_beef_dead_beef);
    let corner = Shape::Corner(Box::new(Point { x: 1, y: 2 }));
    let edge = Shape::Edge(Box::new(Point { x: 3, y: 4 }));
    let named = Shape::Named("a name");
    let login = Shape::Login { password: "hunter2", points: Box::new(Point { x: 9, y: 9 }) };
    let wide = Wide {
        room: [7; 20],
        shape: Shape::Edge(Box::new(Point { x: 5, y: 6 })),
        perhaps: Some(Box::new(Point { x: 7, y: 8 })),
    };
    let text = String::from("owned");
    let points = vec![Point { x: 1, y: 1 }, Point { x: 2, y: 2 }];
    keep(&some);
    keep(&none);
    keep(&dot);
    keep(&corner);
    keep(&edge);
    keep(&named);
    keep(&login);
    keep(&wide);
    keep(&text);
    keep(&points);
    SINK.store(std::ptr::null_mut(), Ordering::Relaxed); // PROBE variants
    keep(&wide);
    wide.room[0]
}

fn main() {
    println!("ready=1");
    let point = Point { x: 10, y: 20 };
    while look(Some(&point)) == 7 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}
