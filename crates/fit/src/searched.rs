//! [`Searched`]: parameters of a stage that trains, as its learning-rate finder takes them.

use pipeline_stage::{Parameters, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::recipe::Recipe;

/// Parameters that have a recipe among them.
pub trait HasRecipe {
    /// The recipe.
    fn recipe_mut(&mut self) -> &mut Recipe;
}

/// The parameters of a stage that trains, without what makes no difference to its finder ([`Recipe::searched`]): whoever
/// writes the found rate into the config and asks again is shown the same curve.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Searched<P>(pub P);

impl<P: Parameters + HasRecipe> Parameters for Searched<P> {
    fn settle(&mut self) {
        let recipe = self.0.recipe_mut();
        *recipe = std::mem::take(recipe).searched();
        self.0.settle();
    }

    fn check(&self, problems: &mut Vec<Problem>) {
        self.0.check(problems);
    }
}
