// Uses an installed Limulus: the arithmetic of AlexNet's first layer.
#include <limulus/core/error.h>
#include <limulus/core/shape.h>
#include <limulus/core/window.h>

#include <iostream>

int main() {
  const limulus::Window1d rows =
      limulus::Window1d::make(227, 11, 4, 0, 1, false, "conv1", "height");
  std::cout << limulus::Shape{1, 96, rows.out, rows.out}.str() << " as " << rows.formula() << "\n";
  return rows.out == 55 ? 0 : 1;
}
