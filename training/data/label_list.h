#pragma once
// A folder of pictures whose classes are told by a list, as ILSVRC-2012's validation part has it:
//
//     train/n01440764/n01440764_10026.JPEG ...    1,000 class folders
//     val/ILSVRC2012_val_00000001.JPEG ...        50,000 pictures in one folder
//     val.txt                                     "ILSVRC2012_val_00000001.JPEG 65", or with
//                                                 the synset in the number's place
//
// The list is beside the folder, or in it: val.txt for a folder val/, labels.txt, or Kaggle's
// LOC_val_solution.csv ("ILSVRC2012_val_00000001,n01751748 111 108 421 460"). A class is the name
// of a class folder, or its number among them, from 0, in the order of their bytes.
#include "training/data/folder_tree.h"

namespace limulus {

// Gives the pictures of such a folder to classes: they become TopFolder::children, as if each class
// had a folder. A folder without a list stays as it is. FileError, with the line, for a list that
// names a class or a picture twice or that does not exist; pictures that it lacks are skipped.
void apply_label_lists(FolderTree* tree);

}  // namespace limulus
