//! Pointers of the caller: read and written here and nowhere else in this floor.
//!
//! Every function checks what can be checked (NULL, alignment, size, the mark of an object) and leaves to the caller
//! what the six rules of the header ask of it; each `# Safety` section names the rule.

use super::basics::janua_str;
use super::fault::Fault;
use std::ffi::c_char;
use std::mem::{align_of, size_of};
use std::ptr;

/// The largest size a struct of the interface may ever have; a larger one is an uninitialised `size`.
const MOST: usize = 4096;

/// A struct that begins with its size and may grow at its end.
///
/// # Safety
/// The type is `repr(C)`, its first field is `size: usize`, and all-zero bytes are a value of it.
pub(super) unsafe trait Growing: Copy {
    const NAME: &'static str;
    /// The least size accepted: up to and with the last field that must be there.
    const FIRST: usize;
}

/// Reads the size of a struct and refuses what no release of the header can have written.
///
/// # Safety
/// Rule 3: `at` is NULL or points to a struct of the interface.
unsafe fn size<T: Growing>(at: *const T) -> Result<usize, Fault> {
    if at.is_null() {
        return Err(Fault::null(T::NAME));
    }
    if !at.is_aligned() {
        return Err(Fault::invalid(format!("{} is not aligned", T::NAME)));
    }
    // SAFETY: not NULL, aligned, and the trait promises that a usize stands first.
    let size = unsafe { at.cast::<usize>().read() };
    // Whole words only: no pointer is ever cut in half.
    if size < T::FIRST || size > MOST || size % align_of::<usize>() != 0 {
        return Err(Fault::invalid(format!("{}.size is {size}; set it to sizeof({})", T::NAME, T::NAME)));
    }
    Ok(size)
}

/// Reads a struct: a shorter one is padded with zeros, a longer one must end in zeros.
///
/// # Safety
/// Rule 3: `at` is NULL or points to as many readable bytes as its `size` says.
pub(super) unsafe fn read<T: Growing>(at: *const T) -> Result<T, Fault> {
    // SAFETY: as promised by the caller.
    let size = unsafe { size(at)? };
    let known = size.min(size_of::<T>());
    // SAFETY: `size` bytes are readable; `known` of them fit into a T, for which all-zero bytes are a value.
    let (value, tail) = unsafe {
        let mut value: T = std::mem::zeroed();
        ptr::copy_nonoverlapping(at.cast::<u8>(), (&raw mut value).cast::<u8>(), known);
        (value, std::slice::from_raw_parts(at.cast::<u8>().add(known), size - known))
    };
    match tail.iter().all(|byte| *byte == 0) {
        true => Ok(value),
        false => Err(Fault::invalid(format!("{} has fields that this library does not know", T::NAME))),
    }
}

/// A struct of the caller that is going to be written.
pub(super) struct Output<T> {
    at: *mut T,
    size: usize,
}

impl<T: Growing> Output<T> {
    /// # Safety
    /// Rules 3 and 4: `at` is NULL or points to as many writable bytes as its `size` says, and nobody else uses them
    /// until the call returns.
    pub(super) unsafe fn new(at: *mut T) -> Result<Output<T>, Fault> {
        // SAFETY: as promised by the caller.
        let size = unsafe { size(at.cast_const())? };
        Ok(Output { at, size })
    }

    /// Writes what the caller's struct has room for and zeros behind it; the caller's `size` stays.
    pub(super) fn write(&self, value: &T) {
        let word = size_of::<usize>();
        let known = self.size.min(size_of::<T>());
        // SAFETY: `new` was promised `size` writable bytes, `known` of which a T has too; neither part overlaps.
        unsafe {
            let (from, to) = (ptr::from_ref(value).cast::<u8>(), self.at.cast::<u8>());
            ptr::copy_nonoverlapping(from.add(word), to.add(word), known - word);
            ptr::write_bytes(to.add(known), 0, self.size - known);
        }
    }

    /// Writes zeros to everything but the caller's `size`.
    pub(super) fn zero(&self) {
        let word = size_of::<usize>();
        // SAFETY: `new` was promised `size` writable bytes, of which the first are a usize.
        unsafe { ptr::write_bytes(self.at.cast::<u8>().add(word), 0, self.size - word) }
    }

    /// One field of what the caller's struct holds now. `None` if the field may be missing from it.
    pub(super) fn field<F: Copy>(&self, field: impl FnOnce(*const T) -> *const F) -> Option<F> {
        let at = field(self.at.cast_const());
        let end = at.addr().checked_sub(self.at.addr())?.checked_add(size_of::<F>())?;
        // SAFETY: the field ends within the bytes that every struct has, and those were promised to `new`.
        (end <= T::FIRST).then(|| unsafe { at.read() })
    }

    /// Makes the last byte of a struct that ends in a text a NUL, also when the caller's struct is a shorter one.
    pub(super) fn end_text(&self) {
        let end = self.size.min(size_of::<T>());
        if end > T::FIRST {
            // SAFETY: `new` was promised `size` writable bytes.
            unsafe { self.at.cast::<u8>().add(end - 1).write(0) }
        }
    }
}

/// A place for one number, pointer or view.
pub(super) struct Slot<T>(*mut T);

impl<T> Slot<T> {
    /// # Safety
    /// Rules 3 and 4: `at` is NULL or points to a place that may be written until the call returns.
    pub(super) unsafe fn new(at: *mut T, what: &str) -> Result<Slot<T>, Fault> {
        match at {
            _ if at.is_null() => Err(Fault::null(what)),
            _ if !at.is_aligned() => Err(Fault::invalid(format!("{what} is not aligned"))),
            _ => Ok(Slot(at)),
        }
    }

    pub(super) fn put(&self, value: T) {
        // SAFETY: `new` checked and was promised the place.
        unsafe { self.0.write(value) }
    }
}

/// A buffer of the caller for one text.
pub(super) struct Buffer {
    at: *mut u8,
    cap: usize,
}

impl Buffer {
    /// # Safety
    /// Rules 3 and 4: `at` is NULL or points to `cap` bytes that may be written until the call returns.
    pub(super) unsafe fn new(at: *mut c_char, cap: usize) -> Result<Buffer, Fault> {
        if at.is_null() && cap > 0 {
            return Err(Fault::null("the buffer"));
        }
        Ok(Buffer { at: at.cast(), cap })
    }

    pub(super) fn cap(&self) -> usize {
        self.cap
    }

    /// Writes the texts one after the other, if all of them fit, and returns a view of each; nothing is written otherwise.
    pub(super) fn fill<const N: usize>(&self, texts: [&[u8]; N]) -> Result<[janua_str; N], Fault> {
        let needed = texts.iter().map(|text| text.len()).sum();
        if needed > self.cap {
            return Err(Fault::too_small(needed, self.cap));
        }
        let mut start = 0;
        Ok(texts.map(|text| {
            if text.is_empty() {
                return janua_str::EMPTY;
            }
            // SAFETY: `new` was promised `cap` bytes, `needed` is not more, and the caller's buffer is none of ours.
            let at = unsafe {
                let at = self.at.add(start);
                ptr::copy_nonoverlapping(text.as_ptr(), at, text.len());
                at
            };
            start += text.len();
            janua_str { ptr: at.cast(), len: text.len() }
        }))
    }
}

/// The bytes of a view.
///
/// # Safety
/// Rule 3: `view` is NULL or points to `len` bytes that do not change while `'a` lasts, at most until the call returns.
pub(super) unsafe fn bytes<'a>(view: janua_str, what: &str) -> Result<&'a [u8], Fault> {
    match (view.ptr.is_null(), view.len) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(Fault::null(what)),
        (false, len) if isize::try_from(len).is_err() => {
            Err(Fault::invalid(format!("{what} has an impossible length")))
        }
        // SAFETY: as promised by the caller; the length was checked.
        (false, len) => Ok(unsafe { std::slice::from_raw_parts(view.ptr.cast(), len) }),
    }
}

/// An array of pairs.
///
/// # Safety
/// Rule 3: `at` is NULL or points to `len` values that do not change while `'a` lasts.
pub(super) unsafe fn array<'a, T>(at: *const T, len: usize, most: usize, what: &str) -> Result<&'a [T], Fault> {
    match len {
        0 => Ok(&[]),
        _ if at.is_null() => Err(Fault::null(what)),
        _ if len > most => Err(Fault::invalid(format!("{what} has {len} entries; at most {most} are allowed"))),
        _ if !at.is_aligned() => Err(Fault::invalid(format!("{what} is not aligned"))),
        // SAFETY: as promised by the caller; `most` keeps the length possible.
        _ => Ok(unsafe { std::slice::from_raw_parts(at, len) }),
    }
}

/// The text of a view that must be UTF-8.
///
/// # Safety
/// As [`bytes`].
pub(super) unsafe fn text<'a>(view: janua_str, what: &str) -> Result<&'a str, Fault> {
    // SAFETY: as promised by the caller.
    let bytes = unsafe { bytes(view, what)? };
    std::str::from_utf8(bytes).map_err(|_| Fault::invalid(format!("{what} is not UTF-8")))
}

/// A kind of object that C knows by an incomplete type.
pub(super) trait Opaque {
    type Body;
    const NAME: &'static str;
    /// A number that stands in memory at the head of a live object of this kind.
    const MARK: u32;
}

/// What an opaque pointer really points to.
#[repr(C)]
struct Object<B> {
    mark: u32,
    body: B,
}

/// Hands a new object to the caller.
pub(super) fn give<T: Opaque>(body: T::Body) -> *mut T {
    Box::into_raw(Box::new(Object { mark: T::MARK, body })).cast()
}

/// An object on our own stack, for the time of a callback.
pub(super) struct Local<T: Opaque>(Object<T::Body>);

impl<T: Opaque> Local<T> {
    pub(super) fn new(body: T::Body) -> Local<T> {
        Local(Object { mark: T::MARK, body })
    }

    pub(super) fn pointer(&mut self) -> *mut T {
        (&raw mut self.0).cast()
    }

    pub(super) fn into_body(self) -> T::Body {
        self.0.body
    }
}

/// Refuses NULL, another kind of object and, by chance, one that was freed: a mistake answered, not a promise.
///
/// # Safety
/// Rule 2: `at` is NULL or a live object of this interface.
unsafe fn check<T: Opaque>(at: *const T) -> Result<*const Object<T::Body>, Fault> {
    if at.is_null() {
        return Err(Fault::null(T::NAME));
    }
    let object = at.cast::<Object<T::Body>>();
    // SAFETY: an object of any kind begins with its mark; as promised by the caller it is alive.
    if !object.is_aligned() || unsafe { (&raw const (*object).mark).read() } != T::MARK {
        return Err(Fault::invalid(format!("not a {}: another object, or freed", T::NAME)));
    }
    Ok(object)
}

/// A borrowed object that other threads may use too.
///
/// # Safety
/// Rules 2 and 4: `at` is NULL or alive until the call returns, and nobody changes it meanwhile.
pub(super) unsafe fn shared<'a, T: Opaque>(at: *const T) -> Result<&'a T::Body, Fault> {
    // SAFETY: as promised by the caller.
    unsafe { Ok(&(*check(at)?).body) }
}

/// A borrowed object that only this thread uses.
///
/// # Safety
/// Rules 2 and 4: `at` is NULL or alive until the call returns, and no other thread uses it meanwhile.
pub(super) unsafe fn exclusive<'a, T: Opaque>(at: *mut T) -> Result<&'a mut T::Body, Fault> {
    // SAFETY: as promised by the caller; the pointer was made from a `Box` that may be written.
    unsafe { Ok(&mut (*check(at.cast_const())?.cast_mut()).body) }
}

/// Takes an object back; `None` for NULL and for what is not one.
///
/// # Safety
/// Rule 2: `at` is NULL or an object that was not freed yet and that nobody uses any more.
pub(super) unsafe fn take<T: Opaque>(at: *mut T) -> Option<T::Body> {
    // SAFETY: as promised by the caller: `give` made it and it is ours again.
    unsafe {
        let object = check(at.cast_const()).ok()?.cast_mut();
        (&raw mut (*object).mark).write_volatile(0);
        Some(Box::from_raw(object).body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Sample {
        size: usize,
        first: u64,
        second: u64,
    }

    // SAFETY: repr(C), size first, integers only.
    unsafe impl Growing for Sample {
        const NAME: &'static str = "sample";
        const FIRST: usize = 16;
    }

    #[repr(C)]
    struct Longer {
        sample: Sample,
        third: u64,
    }

    fn longer(size: usize, third: u64) -> Longer {
        Longer { sample: Sample { size, first: 1, second: 2 }, third }
    }

    fn read_it(it: &Longer) -> Result<Sample, Fault> {
        // SAFETY: the size is at most that of Longer.
        unsafe { read(ptr::from_ref(it).cast::<Sample>()) }
    }

    #[test]
    fn a_shorter_struct_is_padded_and_a_longer_one_must_end_in_zeros() {
        assert_eq!(read_it(&longer(24, 9)).unwrap(), Sample { size: 24, first: 1, second: 2 });
        assert_eq!(read_it(&longer(16, 9)).unwrap(), Sample { size: 16, first: 1, second: 0 });
        assert_eq!(read_it(&longer(32, 0)).unwrap().second, 2);
        assert!(read_it(&longer(32, 1 << 56)).is_err(), "a field we do not know is set");
        for size in [0, 8, 15, 17, 20, 31, 4104, usize::MAX] {
            assert!(read_it(&longer(size, 0)).is_err(), "{size}");
        }
    }

    #[test]
    fn a_null_or_crooked_struct_is_refused() {
        // SAFETY: both are refused before anything is read.
        unsafe {
            assert!(read(ptr::null::<Sample>()).is_err());
            assert!(read(ptr::without_provenance::<Sample>(9)).is_err());
            assert!(Output::new(ptr::null_mut::<Sample>()).is_err());
        }
    }

    #[test]
    fn an_output_keeps_its_size_and_its_neighbours() {
        let value = Sample { size: 99, first: 7, second: 8 };
        for (size, second, third) in [(16, 2, 5), (24, 8, 5), (32, 8, 0)] {
            let mut it = longer(size, 5);
            // SAFETY: the size is at most that of Longer.
            let output = unsafe { Output::new((&raw mut it).cast::<Sample>()).unwrap() };
            output.write(&value);
            assert_eq!((it.sample.size, it.sample.first, it.sample.second, it.third), (size, 7, second, third));
            // SAFETY: addresses only; `field` reads no more than it was given.
            let (first, last) =
                unsafe { (output.field(|at| &raw const (*at).first), output.field(|at| &raw const (*at).second)) };
            assert_eq!((first, last), (Some(7), None), "only what every struct has is read");
            output.zero();
            assert_eq!((it.sample.size, it.sample.first, it.third), (size, 0, third));
        }
    }

    #[test]
    fn null_is_empty_only_with_length_zero() {
        let at = |ptr, len| janua_str { ptr, len };
        // SAFETY: only the last is read.
        unsafe {
            assert_eq!(bytes(at(ptr::null(), 0), "x").unwrap(), b"");
            assert!(bytes(at(ptr::null(), 1), "x").is_err());
            assert!(bytes(at(c"x".as_ptr(), usize::MAX), "x").is_err());
            assert_eq!(bytes(at(c"xy".as_ptr(), 2), "x").unwrap(), b"xy");
            assert!(text(at(c"\xff".as_ptr(), 1), "x").is_err());
        }
    }

    #[test]
    fn an_object_of_another_kind_is_refused() {
        struct A;
        struct B;
        impl Opaque for A {
            type Body = u64;
            const NAME: &'static str = "a";
            const MARK: u32 = 1;
        }
        impl Opaque for B {
            type Body = u64;
            const NAME: &'static str = "b";
            const MARK: u32 = 2;
        }
        let a = give::<A>(5);
        // SAFETY: `a` is alive until it is taken.
        unsafe {
            assert_eq!(*shared(a).unwrap(), 5);
            assert!(shared(a.cast::<B>()).is_err());
            assert!(take(a.cast::<B>()).is_none());
            assert_eq!(take(a), Some(5));
            assert_eq!(take(ptr::null_mut::<A>()), None);
        }
    }

    #[test]
    fn a_buffer_is_filled_whole_or_not_at_all() {
        let mut room = [b'.'; 4];
        // SAFETY: the room is alive and ours.
        let buffer = unsafe { Buffer::new(room.as_mut_ptr().cast(), room.len()).unwrap() };
        assert!(buffer.fill([b"abc", b"de"]).is_err());
        let [first, empty, last] = buffer.fill([b"ab".as_slice(), b"", b"cd"]).unwrap();
        // SAFETY: views of the room.
        unsafe {
            assert_eq!(bytes(first, "x").unwrap(), b"ab");
            assert_eq!(bytes(empty, "x").unwrap(), b"");
            assert_eq!(bytes(last, "x").unwrap(), b"cd");
            assert!(Buffer::new(ptr::null_mut(), 1).is_err());
        }
    }
}
