//! `matrix`: a branch for each cell that no exclude names.

use std::rc::Rc;

use haliotis_flow::BlockKind;

use super::super::context::Ctx;
use super::Pipeline;
use super::stage::Ended;
use crate::declare::model::{Axes, Matrix, Stage};

/// A cell: axis and value, in the order of the axes.
type Cell = Vec<(String, String)>;

impl Pipeline {
    pub(super) async fn matrix(&self, ctx: &Ctx, stage: &Stage, matrix: &Matrix) -> Ended {
        self.run.shared.say("[Pipeline] parallel");
        let mut bodies: Vec<crate::run::blocks::Branch<()>> = Vec::new();
        for cell in cells(matrix) {
            let shown: Vec<String> = cell.iter().map(|(name, value)| format!("{name} = '{value}'")).collect();
            let name = format!("Matrix - {}", shown.join(", "));
            let mut inner = matrix.cell.clone();
            inner.name.clone_from(&name);
            inner.stages.clone_from(&matrix.stages);
            let this = self.clone();
            bodies.push((
                name.clone(),
                Box::new(move |ctx| {
                    Box::pin(async move {
                        let ctx = ctx.with_env(cell);
                        let path = ctx.path.clone();
                        let run = Rc::clone(&this.run);
                        let inner = Rc::new(inner);
                        run.in_branch_stage(&ctx, path, &name, move |ctx| {
                            Box::pin(async move { this.in_stage(&ctx, inner).await })
                        })
                        .await
                    })
                }),
            ));
        }
        let fail_fast = stage.fail_fast == Some(true) || self.flags.always_fail_fast.get();
        self.run.branches(ctx, bodies, fail_fast, BlockKind::Branch).await.map(drop)
    }
}

/// All cells that no exclude names, the last axis fastest.
fn cells(matrix: &Matrix) -> Vec<Cell> {
    let Some(axes) = &matrix.axes else { return Vec::new() };
    let mut cells: Vec<Cell> = vec![Vec::new()];
    for axis in &axes.axes {
        let name = axis.name.as_ref().map_or("", |key| &key.name);
        let values: Vec<&str> = axis.values.iter().filter_map(|value| value.as_str()).collect();
        cells = cells
            .into_iter()
            .flat_map(|cell| {
                values.iter().map(move |value| {
                    let mut cell = cell.clone();
                    cell.push((name.to_owned(), (*value).to_owned()));
                    cell
                })
            })
            .collect();
    }
    let excludes = matrix.excludes.as_ref().map(|excludes| excludes.excludes.as_slice()).unwrap_or_default();
    cells.retain(|cell| !excludes.iter().any(|exclude| names(exclude, cell)));
    cells
}

/// Every axis of the exclude names the cell.
fn names(exclude: &Axes, cell: &Cell) -> bool {
    exclude.axes.iter().all(|axis| {
        let wanted = axis.name.as_ref().map_or("", |key| &key.name);
        let Some((_, value)) = cell.iter().find(|(name, _)| name == wanted) else { return false };
        let listed = axis.values.iter().any(|listed| listed.as_str() == Some(value));
        listed != (axis.inverse == Some(true))
    })
}
