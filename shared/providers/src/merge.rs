//! Laying one entry over another.

use toml::{Table, Value};

use crate::error::ProviderDataError;

/// The two kinds of entries of one provider file.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    pub(crate) providers: Vec<Table>,
    pub(crate) unsupported: Vec<Table>,
}

/// Reads the entries of one provider file.
pub(crate) fn entries(text: &str) -> Result<Entries, ProviderDataError> {
    // Only the message: the display form would repeat the line, which may be somebody's whole configuration.
    let mut file: Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error
            .span()
            .map_or(0, |span| text[..span.start.min(text.len())].lines().count());
        ProviderDataError::Syntax(format!("line {line}: {}", error.message()))
    })?;
    let entries = Entries {
        providers: tables(file.remove("provider"))?,
        unsupported: tables(file.remove("unsupported"))?,
    };
    match file.keys().next() {
        None => Ok(entries),
        Some(key) => Err(ProviderDataError::Syntax(format!(
            "`{key}` is not known; entries begin with [[provider]] or [[unsupported]]"
        ))),
    }
}

fn tables(value: Option<Value>) -> Result<Vec<Table>, ProviderDataError> {
    let wrong = || ProviderDataError::Syntax("entries begin with [[provider]] or [[unsupported]]".to_owned());
    let table = |value| match value {
        Value::Table(table) => Ok(table),
        _ => Err(wrong()),
    };
    match value {
        None => Ok(Vec::new()),
        Some(Value::Array(entries)) => entries.into_iter().map(table).collect(),
        Some(_) => Err(wrong()),
    }
}

/// Adds the entries of `file` to `known`: laid over the one with the same id, or over the one that they extend,
/// or as they are. Each result knows its `family`, the root of what it extends; domains and MX hosts are not passed on,
/// because they belong to one entry each.
pub(crate) fn lay_over(known: &mut Vec<Table>, file: Vec<Table>) -> Result<(), ProviderDataError> {
    for mut entry in file {
        let id =
            text(&entry, "id").ok_or_else(|| ProviderDataError::Syntax("an entry has no id".to_owned()))?;
        let refuse = |problem: String| ProviderDataError::Provider {
            id: id.clone(),
            problem,
        };
        let own = known
            .iter()
            .position(|table| text(table, "id").as_deref() == Some(&id));
        let extends = entry.remove("extends");
        match (own, extends) {
            (Some(_), Some(_)) => {
                return Err(refuse("it is known already and cannot extend another".to_owned()));
            }
            (Some(index), None) => merge(&mut known[index], entry),
            (None, Some(base)) => {
                let base = base.as_str().unwrap_or_default();
                let found = known
                    .iter()
                    .find(|table| text(table, "id").as_deref() == Some(base));
                let mut table = found
                    .cloned()
                    .ok_or_else(|| refuse(format!("it extends `{base}`, which is not known")))?;
                for own in ["domains", "mx", "mx_shared"] {
                    table.remove(own);
                }
                merge(&mut table, entry);
                known.push(table);
            }
            (None, None) => {
                entry.insert("family".to_owned(), Value::String(id.clone()));
                known.push(entry);
            }
        }
    }
    Ok(())
}

/// Named keys replace, tables are merged, lists are replaced as a whole.
fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

fn text(table: &Table, key: &str) -> Option<String> {
    table.get(key)?.as_str().map(str::to_owned)
}
