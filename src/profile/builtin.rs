//! The profile files inside the library: the only place in `src` that names a product.

/// Names and texts, in alphabetical order.
pub const BUILTINS: [(&str, &str); 5] = [
    ("form", include_str!("../../profiles/form.toml")),
    ("mashzone", include_str!("../../profiles/mashzone.toml")),
    ("mauro", include_str!("../../profiles/mauro.toml")),
    ("menandmice", include_str!("../../profiles/menandmice.toml")),
    ("mfiles", include_str!("../../profiles/mfiles.toml")),
];

/// The text of a built-in profile.
pub fn builtin(name: &str) -> Option<&'static str> {
    BUILTINS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
