// The module tree. Names are the reference's, so that walking the tree yields the official state_dict keys in Python's
// order: own parameters, own buffers, then children (docs/architecture.md, "The module tree is the checkpoint").
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "context.h"
#include "object.h"
#include "value.h"

namespace ldm {

/// A network or a part of one.
///
/// Members keep the at::Tensor that `parameter` and `buffer` return: the tensor object stays the same for the module's
/// life, loading and moving replace its data only.
class Module : public Object {
 public:
  struct Entry {
    std::string name;
    at::Tensor tensor;
    bool isParameter;
  };

  Module();

  /// Everything that a state_dict holds, in Python's order; a tensor reachable under two names appears twice.
  std::vector<Entry> state() const;
  /// Parameters in order, each once.
  std::vector<at::Tensor> parameters() const;
  /// Named parameters in order; a parameter that is reachable twice keeps its first name, as in Python.
  std::vector<std::pair<std::string, at::Tensor>> namedParameters() const;

  bool training() const { return training_; }
  /// Like nn.Module.train: sets the mode of the whole tree. Virtual because some models keep parts frozen.
  virtual void train(bool mode);
  void requiresGrad(bool on);
  /// Stores the weights that were announced with `largeWeight` in half precision, for inference with less memory.
  /// Arithmetic stays in the precision of the input: each weight is widened where it is used. Not for training.
  /// @param keep whether the weights' values are converted; without it they are undefined until something is loaded
  void compact(at::ScalarType dtype, bool keep);
  /// Moves and casts in place. Only floating point tensors are cast.
  void to(const at::Device& device, c10::optional<at::ScalarType> dtype);
  at::Device device() const;

  const std::vector<std::pair<std::string, std::shared_ptr<Module>>>& children() const { return children_; }
  /// nn.Module.get_submodule: the descendant at a dotted path such as "loss.perceptual_loss".
  std::shared_ptr<Module> submodule(const std::string& path) const;

  /// Called after the module's state was replaced from outside (checkpoint, EMA swap), for caches.
  virtual void stateChanged() {}

 protected:
  at::Tensor parameter(const std::string& name, at::Tensor value, bool requiresGrad = true);
  /// A parameter that makes up most of a network and is used through `widened` only, so that it may be stored
  /// compactly.
  at::Tensor largeWeight(const std::string& name, at::Tensor value);
  /// Buffers with persistent=false are moved with the module but are not in the state_dict.
  at::Tensor buffer(const std::string& name, at::Tensor value, bool persistent = true);
  template <class M>
  std::shared_ptr<M> child(const std::string& name, std::shared_ptr<M> module) {
    if (module) children_.emplace_back(name, module);
    return module;
  }
  template <class M>
  void replaceChild(const std::string& name, std::shared_ptr<M> module) {
    for (auto& c : children_)
      if (c.first == name) {
        c.second = module;
        return;
      }
    children_.emplace_back(name, module);
  }

 private:
  struct Own {
    std::string name;
    at::Tensor tensor;
    bool persistent;
    bool large = false;
  };
  void collect(const std::string& prefix, std::vector<Entry>& out) const;
  template <class F>
  void visit(F&& fn);

  std::vector<Own> parameters_;
  std::vector<Own> buffers_;
  std::vector<std::pair<std::string, std::shared_ptr<Module>>> children_;
  bool training_ = true;
};

/// A weight in (at least) the precision of what it meets: that of a compact module is widened for one use.
at::Tensor widened(const at::Tensor& weight, const at::Tensor& x);

/// nn.ModuleList: children named "0", "1", ...
template <class M = Module>
class ModuleList : public Module {
 public:
  void append(std::shared_ptr<M> module) { items_.push_back(child(std::to_string(items_.size()), module)); }
  size_t size() const { return items_.size(); }
  M& operator[](size_t i) const { return *items_[i]; }
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }

 private:
  std::vector<std::shared_ptr<M>> items_;
};

}  // namespace ldm
