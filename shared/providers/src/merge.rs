//! Laying one entry over another.

use toml::{Table, Value};

use crate::error::ProviderDataError;

/// Reads the entries of one provider file.
pub(crate) fn entries(text: &str) -> Result<Vec<Table>, ProviderDataError> {
    // Only the message: the display form would repeat the line, which may be somebody's whole configuration.
    let mut file: Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error
            .span()
            .map_or(0, |span| text[..span.start.min(text.len())].lines().count());
        ProviderDataError::Syntax(format!("line {line}: {}", error.message()))
    })?;
    let providers = file
        .remove("provider")
        .unwrap_or_else(|| Value::Array(Vec::new()));
    if let Some(key) = file.keys().next() {
        return Err(ProviderDataError::Syntax(format!(
            "`{key}` is not known; entries begin with [[provider]]"
        )));
    }
    let Value::Array(providers) = providers else {
        return Err(ProviderDataError::Syntax(
            "entries begin with [[provider]]".to_owned(),
        ));
    };
    let table = |value| match value {
        Value::Table(table) => Ok(table),
        _ => Err(ProviderDataError::Syntax("an entry is not a table".to_owned())),
    };
    providers.into_iter().map(table).collect()
}

/// Adds the entries of `file` to `known`: laid over the one with the same id, or over the one that they extend,
/// or as they are. Each result knows its `family`, the root of what it extends.
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
